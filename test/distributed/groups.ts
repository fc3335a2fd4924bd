import { AssignerProtocol, Kafka, logLevel } from 'kafkajs'

/** How many partitions each member of a consumer group has, while its membership is settled; undefined until it is. */
export const membersOf = async (brokers: readonly string[], group: string): Promise<readonly number[] | undefined> => {
  const admin = new Kafka({ clientId: 'test', brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const [found] = (await admin.describeGroups([group])).groups
    if (found?.state !== 'Stable') return undefined
    return found.members.map(({ memberAssignment }) => {
      const { assignment = {} } = AssignerProtocol.MemberAssignment.decode(memberAssignment) ?? {}
      return Object.values(assignment).flat().length
    })
  } finally {
    await admin.disconnect()
  }
}

// Several real brokers (KRaft, each a controller too) for tests of failover. Sessions are as short as they may be.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { download, freePort, JAVA, listening, run } from './kafka.mjs'

const START_MS = 90_000

const properties = ({ id, port, controllerPort, voters, folder }) => `process.roles=broker,controller
node.id=${id}
controller.quorum.voters=${voters}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=${folder}/data-${id}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
`

/** Starts `count` brokers, numbered from 1. Answers their addresses, and how to kill one, start it again, and stop all. */
export const startKafkaCluster = async (count = 3) => {
  await download()
  const folder = await mkdtemp(join(tmpdir(), 'bahi-kafka-'))
  const nodes = []
  for (let id = 1; id <= count; id++) nodes.push({ id, port: await freePort(), controllerPort: await freePort() })
  const voters = nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join()
  const cluster = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
  const configOf = (id) => join(folder, `broker-${id}.properties`)
  const running = new Map()
  const killAll = () => {
    for (const child of running.values()) child.kill('SIGKILL')
  }
  // A test run that is killed must not leave them behind.
  process.once('exit', killAll)
  const start = async (id) => {
    const { port } = nodes.find((node) => node.id === id)
    running.set(id, spawn('java', [...JAVA, 'kafka.Kafka', configOf(id)], { stdio: 'ignore', cwd: folder }))
    const until = Date.now() + START_MS
    while (!(await listening(port))) {
      if (Date.now() > until) throw new Error(`broker ${id} does not listen after ${START_MS} ms`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const kill = async (id) => {
    const child = running.get(id)
    running.delete(id)
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }
  const stop = async () => {
    process.removeListener('exit', killAll)
    await Promise.all([...running.keys()].map(kill))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    for (const node of nodes) {
      await writeFile(configOf(node.id), properties({ ...node, voters, folder }))
      await run('java', [...JAVA, 'kafka.tools.StorageTool', 'format', `--cluster-id=${cluster}`, '-c', configOf(node.id)], START_MS)
    }
    await Promise.all(nodes.map(({ id }) => start(id)))
  } catch (error) {
    await stop()
    throw error
  }
  return { brokers: nodes.map(({ port }) => `127.0.0.1:${port}`), kill, start, stop }
}

/** A topic that was never ensured. */
export class UnknownTopic extends Error {
  override readonly name = 'UnknownTopic'
  constructor(readonly topic: string) {
    super(`no topic ${topic}`)
  }
}

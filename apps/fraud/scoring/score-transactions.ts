import { createHash } from 'node:crypto'
import { CommandAnswered, ScoreTransaction, TransactionScored, type CommandAnsweredData } from '#contracts'
import type { Command, Commands } from '#event-store'
import { alert, featuresOf, type FraudDecision, type Transaction as Scorable } from '#fraud'
import { isRefusal, paise, type Clock, type Ids, type IncomingMessage, type MessageContext } from '#kernel'
import { noEffect, type BatchHandler } from '#messaging'
import { alertStream } from '../alerts/alert-stream.js'
import type { FeatureStore, ScoredTransaction } from './feature-store.js'
import type { Models } from './scorecards.js'

export interface ScoringPorts {
  readonly features: FeatureStore
  readonly models: Models
  readonly commands: Pick<Commands, 'executeAll'>
  readonly clock: Clock
  readonly ids: Ids
  /** How long a person has to decide an alert. */
  readonly reviewTimeout_ms: number
  /** Told of each decision when it is written; for metrics. */
  readonly onScored?: (decision: FraudDecision) => void
}

/** A command as it came: the same id may come again, with another origin. */
interface Asked {
  readonly message: IncomingMessage
  readonly replyTo: string
  readonly orderId: string
  readonly transaction: Scorable
}

/**
 * Handles `fraud.commands`. The background of a batch is read at once; its transactions are scored one after another, each seeing those
 * before it; what came of it is written at once. One command id: one score, counted once, and the same answer as often as it is asked.
 */
export class ScoreTransactions {
  constructor(private readonly ports: ScoringPorts) {}

  readonly handle: BatchHandler = async (messages) => {
    const asked = messages.filter(({ type }) => type === ScoreTransaction.type).map(readCommand)
    if (asked.length === 0) return noEffect
    const first = [...new Map(asked.toReversed().map((each) => [each.message.id, each])).values()].toReversed()
    const repeats = asked.filter((each) => !first.includes(each))
    const { scored, counted } = await this.#score(first)
    const { features, commands } = this.ports
    return async (tx) => {
      await features.record(tx, counted)
      const answers = await commands.executeAll(
        first.map((each, at) => this.#command(each, entry(scored, at))),
        tx,
      )
      for (const { score } of counted) this.ports.onScored?.(score.decision)
      const answerOf = new Map(first.map(({ message }, at) => [message.id, entry(answers, at).answer]))
      const again = [...first.filter((_, at) => entry(answers, at).replayed), ...repeats]
      if (again.length > 0)
        await commands.executeAll(
          again.map((each) => answerAgain(each, answerOf.get(each.message.id) ?? '')),
          tx,
        )
    }
  }

  async #score(asked: readonly Asked[]): Promise<{ scored: readonly ScoredTransaction[]; counted: readonly ScoredTransaction[] }> {
    const { features, models, clock, ids } = this.ports
    const scorer = await models.current()
    const { backgrounds, known } = await features.read(asked.map(({ message, transaction }) => ({ id: message.id, transaction })))
    const counted: ScoredTransaction[] = []
    const scored = asked.map(({ message, orderId, transaction }) => {
      const before = known.get(message.id)
      if (before) return before
      const score = scorer.score(featuresOf(transaction, backgrounds.of(transaction)))
      backgrounds.count(transaction)
      const now: ScoredTransaction = {
        id: message.id,
        orderId,
        transaction,
        score,
        modelVersion: scorer.version,
        ...(score.decision === 'review' ? { alertId: ids.next() } : {}),
        scoredAt: clock.now(),
      }
      counted.push(now)
      return now
    })
    return { scored, counted }
  }

  #command({ message, replyTo, orderId }: Asked, scored: ScoredTransaction): Command {
    const { score, modelVersion, transaction, alertId } = scored
    const at = new Date(scored.scoredAt).toISOString()
    const context = contextOf(message)
    const answer: CommandAnsweredData = {
      replyTo,
      commandId: message.id,
      command: ScoreTransaction.type,
      outcome: 'accepted',
      result: { decision: score.decision, score: score.score, ...(alertId === undefined ? {} : { alertId }) },
    }
    const amount = transaction.amount.toString()
    const common = { orderId, customerId: transaction.customerId, amount, score: score.score, modelVersion, at }
    const messages = [
      CommandAnswered.message(replyTo, answer, context),
      TransactionScored.message(orderId, { ...common, decision: score.decision, reasons: [...score.reasons] }, context),
    ]
    const stream = alertId === undefined ? undefined : { ...alertStream(alertId), fresh: true }
    const dueAt = new Date(scored.scoredAt + this.ports.reviewTimeout_ms).toISOString()
    return {
      id: message.id,
      fingerprint: createHash('sha256').update(JSON.stringify(message.data)).digest('hex'),
      streams: stream ? [stream] : [],
      metadata: { ...context, actor: 'app:fraud' },
      decide(states) {
        if (!stream || alertId === undefined) return { appends: [], messages, answer: JSON.stringify(answer) }
        const events = alert.decide({ type: 'RaiseAlert', alertId, reasons: score.reasons, dueAt, ...common }, states.of(stream).state)
        if (isRefusal(events)) throw new Error(`an alert could not be raised: ${events.slug}`)
        return { appends: [{ stream, events }], messages, answer: JSON.stringify(answer) }
      },
    }
  }
}

const readCommand = (message: IncomingMessage): Asked => {
  const data = ScoreTransaction.parse(message.data)
  const at = Date.parse(data.placedAt)
  if (Number.isNaN(at)) throw new RangeError(`${ScoreTransaction.type}: placedAt is not a time`)
  return {
    message,
    replyTo: data.replyTo,
    orderId: data.orderId,
    transaction: {
      customerId: data.customerId,
      amount: paise(data.amount),
      method: data.method,
      addressHash: data.addressHash,
      ...(data.deviceHash === undefined ? {} : { deviceHash: data.deviceHash }),
      at,
    },
  }
}

/** The answer of a command that was answered before goes out once more: whoever asks again waits for it. */
const answerAgain = ({ message, replyTo }: Asked, answer: string): Command => {
  const { incarnation, position, ordinal } = message.origin
  const id = `${message.id}#again-${incarnation}/${position}/${ordinal}`
  const context = contextOf(message)
  return {
    id,
    fingerprint: id,
    streams: [],
    metadata: { ...context, actor: 'app:fraud' },
    decide: () => ({
      appends: [],
      messages: [CommandAnswered.message(replyTo, CommandAnswered.parse(JSON.parse(answer)), context)],
      answer,
    }),
  }
}

const contextOf = (message: IncomingMessage): MessageContext => ({ ...message.context, causationId: message.id })

const entry = <T>(list: readonly T[], at: number): T => {
  const value = list[at]
  if (value === undefined) throw new RangeError(`nothing at ${at}`)
  return value
}

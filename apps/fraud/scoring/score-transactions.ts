import { ScoreTransaction, TransactionScored } from '#contracts'
import type { Commands } from '#event-store'
import { alert, featuresOf, type FraudDecision, type Transaction as Scorable } from '#fraud'
import { isRefusal, paise, type Clock, type Ids, type IncomingMessage, type Random, type Transaction } from '#kernel'
import { noEffect, type BatchHandler } from '#messaging'
import { executeAnswered, type Asked } from '#service'
import { LABEL_WITHIN_MS } from '../alerts/alert-store.js'
import { alertStream } from '../alerts/alert-stream.js'
import type { FeatureStore, ScoredTransaction } from './feature-store.js'
import type { Models } from './scorecards.js'

export interface ScoringPorts {
  readonly features: FeatureStore
  readonly models: Models
  readonly commands: Pick<Commands, 'executeAll'>
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  /** How long a person has to decide an alert. */
  readonly reviewTimeout_ms: number
  /** How many of the approved are drawn as samples, in [0, 1]. */
  readonly sampleShare: number
  /** Told of the decisions that are written in this transaction, which may yet be rolled back; for metrics. */
  readonly onScored?: (tx: Transaction, decisions: readonly FraudDecision[]) => void
}

/** A command as it came: the same id may come again, with another origin. */
interface Received {
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
    const { scored, counted } = await this.#score(first)
    const scoredById = new Map(scored.map((each) => [each.id, each]))
    const { features, commands, onScored } = this.ports
    return async (tx) => {
      await features.record(tx, counted)
      const answers = asked.flatMap((each) => {
        const found = scoredById.get(each.message.id)
        return found ? [[each.message, this.#asked(each, found)] as const] : []
      })
      await executeAnswered(commands, answers, tx)
      onScored?.(
        tx,
        counted.map(({ score }) => score.decision),
      )
    }
  }

  async #score(asked: readonly Received[]): Promise<{ scored: readonly ScoredTransaction[]; counted: readonly ScoredTransaction[] }> {
    const { features, models, clock, ids, random, sampleShare } = this.ports
    const scorer = await models.current()
    const { backgrounds, known } = await features.read(asked.map(({ message, transaction }) => ({ id: message.id, transaction })))
    const counted: ScoredTransaction[] = []
    const scored = asked.map(({ message, orderId, transaction }) => {
      const before = known.get(message.id)
      if (before) return before
      const score = scorer.score(featuresOf(transaction, backgrounds.of(transaction)))
      backgrounds.count(transaction)
      const { decision } = score
      const shown = decision === 'review' || (decision === 'approve' && random.next() < sampleShare)
      const now: ScoredTransaction = {
        id: message.id,
        orderId,
        transaction,
        score,
        modelVersion: scorer.version,
        ...(shown ? { alertId: ids.next() } : {}),
        scoredAt: clock.now(),
      }
      counted.push(now)
      return now
    })
    return { scored, counted }
  }

  #asked({ message, replyTo, orderId }: Received, scored: ScoredTransaction): Asked {
    const { score, modelVersion, transaction, alertId } = scored
    const at = new Date(scored.scoredAt).toISOString()
    const amount = transaction.amount.toString()
    const common = { orderId, customerId: transaction.customerId, amount, score: score.score, modelVersion, at }
    const published = { ...common, decision: score.decision, reasons: [...score.reasons] }
    const messages = [TransactionScored.message(orderId, published, { ...message.context, causationId: message.id })]
    const waits = score.decision === 'review'
    const result = { decision: score.decision, score: score.score, ...(waits && alertId !== undefined ? { alertId } : {}) }
    if (alertId === undefined) return { replyTo, streams: [], decide: () => ({ appends: [], result, messages }) }

    const stream = { ...alertStream(alertId), fresh: true }
    const { reviewTimeout_ms, sampleShare } = this.ports
    const dueAt = new Date(scored.scoredAt + (waits ? reviewTimeout_ms : LABEL_WITHIN_MS)).toISOString()
    const shown = { alertId, reasons: score.reasons, dueAt, ...common }
    return {
      replyTo,
      streams: [stream],
      decide(states) {
        const { state } = states.of(stream)
        const events = alert.decide(waits ? { type: 'RaiseAlert', ...shown } : { type: 'TakeSample', share: sampleShare, ...shown }, state)
        return isRefusal(events) ? events : { appends: [{ stream, events }], result, messages }
      },
    }
  }
}

const readCommand = (message: IncomingMessage): Received => {
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

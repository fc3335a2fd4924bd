// What the measurements of the PostgreSQL log have in common.
import { performance } from 'node:perf_hooks'
import { quantiles } from '../event-store/measure.mjs'

const WARM_UP_S = 1
const TIMEOUT_MS = 120_000
/** 256 bytes of data, as JSON. */
export const TEXT = 'x'.repeat(230)

/** Resolves by `saw` when `count` are there. */
export const expecting = (count) => {
  let seen = 0
  let finish
  let late
  const done = new Promise((resolve, reject) => {
    finish = resolve
    late = setTimeout(() => reject(new Error(`only ${seen} of ${count} after ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
  })
  const saw = (more) => {
    seen += more
    if (seen < count) return
    clearTimeout(late)
    finish(performance.now())
  }
  return { saw, done }
}

/** Each message sent alone when it is due, whatever became of those before. */
export const steady = async (side, { rate, seconds }, content = () => ({})) => {
  const total = rate * (seconds + WARM_UP_S)
  const { saw, done } = expecting(total)
  const took = []
  const onHandled = (payloads) => {
    const now = performance.now()
    for (const { at } of payloads) took.push(now - at)
    saw(payloads.length)
  }
  const close = await side.consume(onHandled, { backlog: false })
  const began = performance.now()
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1_000) * rate))
    for (; sent < due; sent++)
      void side.send({ ...content(sent), text: TEXT, at: performance.now() }).catch((error) => console.error(error))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await done
  await close()
  return quantiles(took.slice(rate * WARM_UP_S))
}

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]

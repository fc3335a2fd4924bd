// `@jest/globals` for specs that run under ./index.mjs, whose runner has no time-outs of its own.
import { DEFAULT_TIMEOUT_MS } from './timeout.mjs'

export const { expect, describe, jest } = globalThis

const within =
  (work, timeout_ms = DEFAULT_TIMEOUT_MS) =>
  async (...args) => {
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${timeout_ms} ms`)), timeout_ms)
    })
    try {
      return await Promise.race([work(...args), late])
    } finally {
      clearTimeout(timer)
    }
  }

const timed = (test) => (name, work, timeout_ms) => test(name, within(work, timeout_ms))
const each = (test) =>
  Object.assign(timed(test), {
    each:
      (...table) =>
      (name, work, timeout_ms) =>
        test.each(...table)(name, within(work, timeout_ms)),
  })

// `it.concurrent` is not here: the runner would run such tests one after another. What needs it is in a suite of Jest's own runner.
export const it = Object.assign(each(globalThis.it), { only: each(globalThis.it.only), skip: globalThis.it.skip })

const hook = (register) => (work, timeout_ms) => register(within(work, timeout_ms))
export const beforeAll = hook(globalThis.beforeAll)
export const afterAll = hook(globalThis.afterAll)
export const beforeEach = hook(globalThis.beforeEach)
export const afterEach = hook(globalThis.afterEach)

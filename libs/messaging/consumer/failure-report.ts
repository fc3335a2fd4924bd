import { createHash } from 'node:crypto'
import type { FailureReport } from './store.js'

const MOST_MESSAGE = 300

/** An error as it may be kept and shown: what could be personal data in its message is masked, and the stack is only a hash. */
export const reportOf = (error: unknown): FailureReport => {
  const known = error instanceof Error
  const frames = known ? (error.stack ?? '').split('\n').filter((line) => line.trimStart().startsWith('at ')) : []
  return {
    errorClass: known ? (error.name === 'Error' ? error.constructor.name : error.name) : typeof error,
    message: masked(known ? error.message : textOf(error)),
    stackHash: createHash('sha256').update(frames.join('\n')).digest('hex').slice(0, 16),
  }
}

/** Digits that could be a number of a person, addresses of mail, and whatever was quoted. */
const masked = (message: string): string =>
  message
    .slice(0, MOST_MESSAGE * 4)
    .replace(/[^\s@"']{1,64}@[^\s@"']{1,255}/g, '<address>')
    .replace(/"[^"]*"/g, '"…"')
    .replace(/\d[\d -]{2,}\d/g, '#')
    .slice(0, MOST_MESSAGE)

/** Nest's exceptions are objects `{status, message}`. */
const textOf = (error: unknown): string => {
  if (typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string') return error.message
  return typeof error === 'string' ? error : 'something that is no error was thrown'
}

import type { Finding } from './finding.js'

export interface ReportOptions {
  /** One object at the end, instead of a line for each finding as it is made. */
  readonly json: boolean
  out(line: string): Promise<void>
}

/** Writes what was found and a sum. Answers whether nothing failed. */
export const report = async (findings: AsyncIterable<Finding>, { json, out }: ReportOptions): Promise<boolean> => {
  const found: Finding[] = []
  for await (const finding of findings) {
    found.push(finding)
    if (!json) await out(line(finding))
  }
  const failures = found.filter(({ status }) => status === 'failed').length
  const warnings = found.filter(({ status }) => status === 'warning').length
  const ok = failures === 0
  await out(json ? JSON.stringify({ ok, findings: found }) : `\n${found.length} checks: ${failures} failed, ${warnings} to look at`)
  return ok
}

const WORDS = { ok: 'ok     ', warning: 'look   ', failed: 'FAILED ' } as const

const line = ({ app, check, status, found, next }: Finding): string =>
  `${WORDS[status]} ${app.padEnd(14)} ${check.padEnd(14)} ${found}${next === undefined ? '' : `\n${' '.repeat(8)}-> ${next}`}`

// Runs every `stride`th seed from `first` up to `last`, and writes a `Report` as JSON: a process for each core.
import 'reflect-metadata'
import { addRun, emptyReport, TRACE_LINES } from './report.js'
import { simulate } from './simulation.js'

/** Enough to see what is wrong. */
const MOST_FAILURES = 5

const [first = 1, last = 1, stride = 1] = process.argv.slice(2).map(Number)
// Connections break all the time here, and an error's stack costs more than the rest of it.
Error.stackTraceLimit = 0
// One seed is asked for to see all of it.
const traceLines = first === last ? Infinity : TRACE_LINES
const report = emptyReport()
const began = process.cpuUsage()
for (let seed = first; seed <= last && report.failures.length < MOST_FAILURES; seed += stride)
  addRun(report, await simulate(seed), traceLines)
const { user, system } = process.cpuUsage(began)
report.cpu_ms = (user + system) / 1_000
process.stdout.write(JSON.stringify(report))

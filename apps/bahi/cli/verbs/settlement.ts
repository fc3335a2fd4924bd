import { formatRupees, paise, systemClock, type MoneyJson } from '#kernel'
import { isDate } from '#payment'
import { pgTransactions } from '#postgres'
import type { Command } from 'commander'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { userInfo } from 'node:os'
import type pg from 'pg'
import { caseView, reportView } from '../../../payment-saga/http/reconciliation.view.js'
import { Settlements } from '../../../payment-saga/ledger/settlements.js'
import { settlesAfter } from '../../../payment-saga/provider/chosen.js'
import { Reconciler } from '../../../payment-saga/reconciliation/reconciler.js'
import { Reconciliation } from '../../../payment-saga/reconciliation/reconciliation.js'
import { ReconciliationReports } from '../../../payment-saga/reconciliation/reports.js'
import { parseSettlementCsv } from '../../../payment-saga/reconciliation/settlement-csv.js'
import { Refused, type Io } from '../io.js'
import { reasonText, recordAct } from '../audit.js'
import { atStore, withPlaceOfOne, type Place, type PlaceOptions } from '../place.js'

type Options = Omit<PlaceOptions, 'app'> & { readonly json?: true }

/** Cases read at once. */
const PAGE = 100

/** `bahi settlement …`: our books beside the payment provider's. */
export const register = (program: Command, io: Io): void => {
  const settlement = program.command('settlement').description("our books beside the payment provider's")
  const verb = (name: string, description: string) =>
    withPlaceOfOne(settlement.command(name).description(description), io).option('--json', 'JSON, one object a line')

  verb('report <date>', "what a day's reconciliation came to; exit 1 where it failed, or has open cases").action(
    (date: string, options: Options) => at(options, ({ pool }) => report(io, pool, checked(date), options.json)),
  )
  verb('cases', 'differences, the newest first')
    .option('--all', 'those that are resolved too')
    .action((options: Options & { all?: true }) => at(options, ({ pool }) => cases(io, pool, options)))
  verb('reconcile <date> <file>', "hold a provider's settlement file (CSV) against our books, again if it was done")
    .requiredOption('--reason <text>', 'kept with it, beside your name', reasonText)
    .action((date: string, file: string, options: Options & { reason: string }) =>
      at(options, (place) => reconcile(io, place, checked(date), file, options)),
    )
}

const at = (options: Options, work: (place: Place) => Promise<void>): Promise<void> => atStore({ ...options, app: 'payment-saga' }, work)

const checked = (date: string): string => {
  if (!isDate(date)) throw new Refused(`${date} is not a date: say YYYY-MM-DD`)
  return date
}

const report = async (io: Io, pool: pg.Pool, date: string, json: true | undefined): Promise<void> => {
  const found = await new ReconciliationReports(pool).of(date)
  if (!found) throw new Refused(`${date} was not reconciled yet`)
  const view = reportView(found, (await new Settlements(pool).totals(date)).balances)
  if (view.status === 'FAILED' || view.cases.open > 0) io.exitCode = 1
  if (json) return io.out(JSON.stringify(view))
  const {
    failure,
    matched,
    cases: { open, resolved },
    provider,
    books,
  } = view
  const said = failure && `: ${failure.line === undefined ? '' : `line ${failure.line}, ${failure.field}: `}${failure.detail}`
  await io.out(`${date}  ${view.status}${said ?? ''}  by ${view.requestedBy}`)
  const rows: readonly (readonly [string, string])[] = [
    ['lines', String(view.lines)],
    ['matched', `${matched.movements}  ${rupees(matched.amount)}`],
    ['cases', `${open} open, ${resolved} resolved`],
    ...Object.entries(provider).map(([name, amount]) => [`provider ${name}`, rupees(amount)] as const),
    ['our commission', rupees(books.commission)],
    ['  its GST', `${rupees(books.commissionGst.cgst)} + ${rupees(books.commissionGst.sgst)}`],
    ['merchant payable', rupees(books.payable)],
  ]
  for (const [name, value] of rows) await io.out(`${name.padEnd(18)}${value.padStart(24)}`)
}

const cases = async (io: Io, pool: pg.Pool, { json, all }: Options & { all?: true }): Promise<void> => {
  const reports = new ReconciliationReports(pool)
  for (let before: string | undefined; !io.signal.aborted;) {
    const page = await reports.cases(all ? {} : { status: 'OPEN' }, before, PAGE)
    for (const each of page.map(caseView)) {
      const { date, difference, kind, providerPaymentId, status } = each
      const text = `${date}  ${difference.padEnd(16)}  ${kind.padEnd(10)}  ${providerPaymentId}  theirs ${rupees(each.theirs)}  ours ${rupees(each.ours)}`
      await io.out(json ? JSON.stringify(each) : `${text}${all ? `  ${status}` : ''}`)
    }
    if (page.length < PAGE) return
    before = page.at(-1)?.caseId
  }
}

const reconcile = async (io: Io, place: Place, date: string, path: string, { json, reason }: Options & { reason: string }) => {
  const file = createReadStream(path)
  await once(file, 'open').catch((error: NodeJS.ErrnoException) => {
    throw new Refused(`cannot read ${path} (${error.code})`)
  })
  const { pool } = place
  await recordAct(place, 'settlement reconcile', `settlements/${date}`, reason)
  const clock = systemClock
  const reconciliation = new Reconciliation({
    pool,
    transactions: pgTransactions(pool),
    clock,
    settlesAfter: settlesAfter(io.env['PROVIDER']),
  })
  // It asks nobody: the file is here.
  const files = { of: () => Promise.resolve({ known: 'not-yet' as const }) }
  await new Reconciler({ pool, clock, files, reconciliation }).takeFile(date, userInfo().username, reason, parseSettlementCsv(file, date))
  await report(io, pool, date, json)
}

const rupees = ({ amount }: MoneyJson): string => formatRupees(paise(amount))

import type { RecordedEvent, SealedTexts } from '#event-store'
import type { Json } from '#kernel'
import { ConsistencyTokenHeader, Cursor, notFound, OwnedBy, PageQuery, pageOf, Roles, type ConsistencyToken, type Page } from '#platform'
import { Controller, Get, Headers, Inject, Param, Query, Res, StreamableFile } from '@nestjs/common'
import { ApiOkResponse, ApiProduces, ApiTags, ApiExtraModels, getSchemaPath } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Readable } from 'node:stream'
import { WalletReads, type Verification } from '../reads.js'
import { SUBJECT_KEYS } from '../tokens.js'
import { entryView, holdView } from '../view.js'
import { AnyWallet, WalletParty, WalletReader } from './ownership.js'
import { csvLines, wantsCsv } from './statement-csv.js'
import {
  BeneficiaryAnswer,
  HoldAnswer,
  StatementAnswer,
  StatementEntryAnswer,
  VerificationAnswer,
  WalletEventsAnswer,
} from './wallet.answers.js'
import { StatementQuery } from './wallet.dto.js'

const isVersion = (value: Json): value is number => Number.isSafeInteger(value) && Number(value) >= 0
/** A wallet's version in a path. */
const VERSION = /^[1-9][0-9]{0,14}$/
const afterOf = (cursor: string | undefined): number => (cursor === undefined ? 0 : Cursor.parse(cursor, isVersion))

/** What was recorded of a wallet. */
@Controller('v1/wallets/:id')
@ApiTags('wallets')
export class RecordsController {
  constructor(
    @Inject(WalletReads) private readonly reads: WalletReads,
    @Inject(SUBJECT_KEYS) private readonly sealed: SealedTexts,
  ) {}

  /** Money in and out, oldest first, with the running balance; as text/csv all of it at once. */
  @Get('statement')
  @Roles('customer', 'support', 'risk', 'auditor', 'admin')
  @OwnedBy(WalletReader)
  @ApiProduces('application/json', 'text/csv')
  @ApiExtraModels(StatementAnswer)
  @ApiOkResponse({
    content: { 'application/json': { schema: { $ref: getSchemaPath(StatementAnswer) } }, 'text/csv': { schema: { type: 'string' } } },
  })
  async statement(
    @Param('id') walletId: string,
    @Query() query: StatementQuery,
    @Headers('accept') accept: string | undefined,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StatementAnswer | StreamableFile> {
    const from_ms = query.from === undefined ? 0 : Date.parse(query.from)
    const to_ms = query.to === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(query.to)
    const entries = this.reads.statement(walletId, { after: afterOf(query.cursor), from_ms, to_ms })
    void reply.header('vary', 'Accept')
    if (wantsCsv(accept)) {
      return new StreamableFile(Readable.from(await csvLines(entries)), { type: 'text/csv; charset=utf-8' })
    }
    const rows = []
    for await (const entry of entries) if (rows.push(entry) > query.limit) break
    return pageOf(rows, query.limit, entryView, ({ version }) => version)
  }

  /** One line of the statement, by the wallet's version that it made: where the answer of a credit, a debit or a transfer says it is. */
  @Get('entries/:version')
  @Roles('customer', 'service', 'support', 'risk', 'auditor', 'admin')
  @OwnedBy(WalletParty)
  @ApiOkResponse({ type: StatementEntryAnswer })
  async entry(
    @Param('id') walletId: string,
    @Param('version') version: string,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
  ): Promise<StatementEntryAnswer> {
    const entry = VERSION.test(version) ? await this.reads.entry(walletId, Number(version)) : undefined
    if (!entry) throw notFound('entry')
    return entryView(entry)
  }

  /** A hold, open or ended. */
  @Get('holds/:holdId')
  @Roles('customer', 'service', 'support', 'risk', 'auditor', 'admin')
  @OwnedBy(WalletParty)
  @ApiOkResponse({ type: HoldAnswer })
  async hold(
    @Param('id') walletId: string,
    @Param('holdId') holdId: string,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
  ): Promise<HoldAnswer> {
    const found = await this.reads.hold(walletId, holdId)
    if (!found) throw notFound('hold')
    return holdView(walletId, found.hold, found.status, found.captured)
  }

  /** Whether the wallet's owner registered this beneficiary; 404 where not. */
  @Get('beneficiaries/:walletId')
  @Roles('customer', 'support', 'risk', 'auditor', 'admin')
  @OwnedBy(WalletReader)
  @ApiOkResponse({ type: BeneficiaryAnswer })
  async beneficiary(
    @Param('id') walletId: string,
    @Param('walletId') beneficiaryId: string,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
  ): Promise<BeneficiaryAnswer> {
    const { state } = await this.reads.now(walletId)
    if (!state.beneficiaries.has(beneficiaryId)) throw notFound('beneficiary')
    return { walletId, beneficiary: { walletId: beneficiaryId } }
  }

  /** The stream itself: what happened, who did it, why and from where. */
  @Get('events')
  @Roles('auditor', 'admin')
  @OwnedBy(AnyWallet)
  @ApiOkResponse({ type: WalletEventsAnswer })
  async events(
    @Param('id') walletId: string,
    @Query() query: PageQuery,
    @ConsistencyTokenHeader() _token: ConsistencyToken | undefined,
  ): Promise<WalletEventsAnswer> {
    const rows = []
    for await (const recorded of this.reads.recorded(walletId, afterOf(query.cursor), query.limit + 1)) rows.push(recorded)
    const reasons = await this.#reasonsOf(rows)
    const page: Page<WalletEventsAnswer['items'][number]> = pageOf(
      rows,
      query.limit,
      ({ version, type, recordedAt, data, metadata, hash }) => ({
        version,
        type,
        at: new Date(recordedAt).toISOString(),
        data,
        by: metadata.actor,
        reason: reasons.get(version) ?? null,
        origin: metadata.origin ?? null,
        commandId: metadata.commandId,
        correlationId: metadata.correlationId,
        causationId: metadata.causationId,
        hash: Buffer.from(hash).toString('hex'),
      }),
      ({ version }) => version,
    )
    return page
  }

  /** By version. Sealed ones are opened: none where its person was erased. What was written before they were sealed is as it was written. */
  async #reasonsOf(rows: readonly RecordedEvent[]): Promise<ReadonlyMap<number, string>> {
    const reasons = new Map<number, string>()
    const closed = rows.flatMap(({ version, metadata: { reason } }) => {
      if (typeof reason === 'string') reasons.set(version, reason)
      return typeof reason === 'object' ? [{ version, reason }] : []
    })
    const opened = await this.sealed.openAll(closed.map(({ reason }) => reason))
    closed.forEach(({ version }, at) => {
      const text = opened[at]
      if (text !== undefined) reasons.set(version, text)
    })
    return reasons
  }

  /** Balance = fold of the events = snapshot and tail, and the hash chain is whole. */
  @Get('verify')
  @Roles('auditor', 'admin')
  @OwnedBy(AnyWallet)
  @ApiOkResponse({ type: VerificationAnswer })
  verify(@Param('id') walletId: string, @ConsistencyTokenHeader() _token: ConsistencyToken | undefined): Promise<Verification> {
    return this.reads.verify(walletId)
  }
}

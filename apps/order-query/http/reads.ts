import { notYetConsistent, type ConsistencyToken } from '#platform'
import { AppliedVersions } from '#projections'
import { Inject, Injectable } from '@nestjs/common'
import { ApiProperty } from '@nestjs/swagger'

/** Before each read: what the caller's own writes made is waited for, so that not even a 404 is older than they are. */
@Injectable()
export class Freshness {
  constructor(@Inject(AppliedVersions) private readonly applied: AppliedVersions) {}

  /** `by` is whose share of the waiting places it takes. Throws 503 `not-yet-consistent` when it has not come in time. */
  async reach(token: ConsistencyToken | undefined, by: string): Promise<void> {
    if (token === undefined || (await this.applied.waitFor(token, by))) return
    throw notYetConsistent()
  }
}

/** `nextCursor` of a page. */
export const NextCursor = (): PropertyDecorator =>
  ApiProperty({ type: String, nullable: true, description: 'Where the next page begins; null on the last.' })

export const etagOf = (version: number): string => `"${version}"`

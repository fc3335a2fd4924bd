import { seal, SubjectErased, type SealedText, type SubjectKeys } from '#event-store'
import { Inject, Injectable } from '@nestjs/common'
import { SUBJECT_KEYS } from '../tokens.js'

/** What somebody says in their own words about a wallet's owner: sealed under the owner's key before it is part of anything that is kept. */
@Injectable()
export class OwnerWords {
  constructor(@Inject(SUBJECT_KEYS) private readonly subjectKeys: Pick<SubjectKeys, 'forSubject'>) {}

  /**
   * Undefined where the owner was erased: nothing more is kept about them, and the wallet can still be frozen and closed. Who did so and when is kept all
   * the same. Rejects where the keys cannot be had: then nothing is done.
   */
  async sealed(ownerId: string, words: string): Promise<SealedText | undefined> {
    try {
      return seal(await this.subjectKeys.forSubject(ownerId), words)
    } catch (error) {
      if (error instanceof SubjectErased) return undefined
      throw error
    }
  }
}

import { Problem } from '#platform'

/** For who still has a token of an account whose personal data was erased. */
export const accountErased = (what: string): Problem =>
  new Problem(403, 'account-erased', `The account's personal data was erased: it ${what}.`)

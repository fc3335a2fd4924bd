/**
 * What could be a number that a person is known by, in a text that is not ours (an error's message): phone, Aadhaar, card and account numbers,
 * PAN, addresses of mail and UPI, and the value that PostgreSQL quotes after a colon. A last resort: nothing should put them there.
 */
export const masked = (text: string): string =>
  text
    .replace(/[^\s@"'<>()]{1,64}@[^\s@"'<>()]{1,255}/g, '<address>')
    .replace(/\b[A-Z]{5}\d{4}[A-Z]\b/g, '<pan>')
    .replace(/\d(?:[ -]?\d){9,}/g, '#')
    .replace(/: "[^"\n]*"/g, ': "…"')

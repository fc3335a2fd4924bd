export const QUICK: Readonly<Record<string, string>>

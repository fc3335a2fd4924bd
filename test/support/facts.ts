/** Names of those `facts` whose value is in the text, however it is spaced; a telephone number also without the country. */
export const factsIn = (facts: Readonly<Record<string, string>>, text: string): readonly string[] =>
  Object.entries(facts).flatMap(([fact, value]) => {
    const signs = [...value.replace(/^\+91/, '')].map((sign) => (/[a-z0-9]/i.test(sign) ? sign : `\\${sign}`))
    return new RegExp(signs.join('[ -]?'), 'i').test(text) ? [fact] : []
  })

import { OneOf, PageQuery, Text } from '#platform'

export class CasesQuery extends PageQuery {
  @Text({
    min: 10,
    max: 10,
    optional: true,
    format: 'date',
    pattern: { source: '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$', rule: 'must be a date, YYYY-MM-DD' },
    description: "Of which day's reconciliation: a day of India's calendar.",
  })
  readonly date?: string

  @OneOf(['OPEN', 'RESOLVED'], { optional: true })
  readonly status?: 'OPEN' | 'RESOLVED'
}

import pg from 'pg'

/** What else goes in the same trip as a statement. */
export interface Company {
  /** BEGIN goes before it. */
  readonly begin?: boolean
  /** COMMIT goes after it. Where the statement fails, the server passes over the COMMIT. */
  readonly commit?: boolean
}

/** The parts of pg's query and connection that its types leave out. */
interface WireQuery<Row extends pg.QueryResultRow> {
  callback: (error: Error | null, result: pg.QueryResult<Row>) => void
  submit(connection: WireConnection): Error | null
  handleCommandComplete(message: { readonly text: string }, connection: WireConnection): void
}

interface WireConnection {
  readonly stream: { cork(): void; uncork(): void }
  readonly parsedStatements: Record<string, string | undefined>
  parse(statement: { readonly text: string; readonly name: string }): void
  bind(portal: object): void
  execute(portal: object): void
  sync(): void
}

/**
 * A statement with BEGIN before it or COMMIT after it, in one write and one trip: pg sends a statement only when the answer to the one before
 * has come, which for a transaction of one statement makes three trips. The extended protocol allows several statements before its Sync, and
 * after a failed one the server passes over the rest.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
export const queryInTrip = async <Row extends pg.QueryResultRow>(
  client: pg.ClientBase,
  config: pg.QueryConfig,
  { begin = false, commit = false }: Company,
): Promise<pg.QueryResult<Row>> => {
  // pg would take the answer to BEGIN's Parse for that of a statement which this connection has yet to prepare, and after a failure would no
  // longer know what the server has prepared. So at a statement's first use BEGIN goes alone.
  const alone = begin && config.name !== undefined && !isPrepared(client, config.name)
  if (alone) await client.query('BEGIN')
  return inOneTrip<Row>(client, config, { begin: begin && !alone, commit })
}

const isPrepared = (client: pg.ClientBase, name: string): boolean => {
  const { connection } = client as pg.ClientBase & { readonly connection: WireConnection }
  return connection.parsedStatements[name] !== undefined
}

const inOneTrip = <Row extends pg.QueryResultRow>(
  client: pg.ClientBase,
  config: pg.QueryConfig,
  { begin, commit }: Required<Company>,
): Promise<pg.QueryResult<Row>> =>
  new Promise((resolve, reject) => {
    const extended: pg.QueryConfig & { queryMode: 'extended' } = { ...config, queryMode: 'extended' }
    const plain: unknown = new pg.Query(extended)
    const query = plain as WireQuery<Row>
    const { submit, handleCommandComplete } = query
    let awaited = begin ? 'BEGIN' : undefined

    query.submit = (connection) => {
      connection.stream.cork()
      try {
        if (begin) send(connection, 'BEGIN')
        if (!commit) return submit.call(query, connection)
        const committing = Object.create(connection, { sync: { value: () => (send(connection, 'COMMIT'), connection.sync()) } })
        return submit.call(query, committing as WireConnection)
      } finally {
        connection.stream.uncork()
      }
    }
    query.handleCommandComplete = (message, connection) => {
      if (message.text === awaited) awaited = undefined
      else if (!commit || message.text !== 'COMMIT') handleCommandComplete.call(query, message, connection)
    }
    query.callback = (error, result) => (error ? reject(error) : resolve(result))
    client.query(plain as pg.Submittable)
  })

const send = (connection: WireConnection, text: string): void => {
  connection.parse({ text, name: '' })
  connection.bind({})
  connection.execute({})
}

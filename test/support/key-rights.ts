/** What the role of each app may do to the keys of persons; the others may not even connect. */
export const KEY_RIGHTS: Readonly<Record<string, readonly string[]>> = {
  order_command: ['DELETE', 'INSERT', 'SELECT', 'UPDATE'],
  wallet: ['INSERT', 'SELECT'],
  order_query: ['SELECT'],
  payment_saga: ['SELECT'],
}

/** Asked by a role in the database `keys`: a line of what it may do to each of its tables. */
export const ASK_KEY_RIGHTS = `SELECT string_agg(word, ' ' ORDER BY word) FROM unnest(ARRAY['DELETE', 'INSERT', 'SELECT', 'UPDATE']) word
  WHERE (SELECT bool_and(has_table_privilege(c.oid, word)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = 'keys' AND c.relkind = 'r')`

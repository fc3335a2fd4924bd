// A transfer as a careful team writes it without events: two balances, two ledger rows, an idempotency row, one transaction. Once as statements
// from Node (seven round trips), once as one function of the database.
import pg from 'pg'

const TABLES = `
CREATE SCHEMA crud;
SET search_path = crud;
CREATE TABLE accounts (id text PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0)) WITH (fillfactor = 70);
CREATE TABLE entries (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text NOT NULL, amount bigint NOT NULL,
  transfer text NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE idempotency (key text PRIMARY KEY, fingerprint text NOT NULL, answer text NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE FUNCTION transfer(p_key text, p_from text, p_to text, p_amount bigint, p_answer text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  known text;
  available bigint;
BEGIN
  SELECT answer INTO known FROM idempotency WHERE key = p_key;
  IF FOUND THEN RETURN known; END IF;
  PERFORM FROM accounts WHERE id IN (p_from, p_to) ORDER BY id FOR UPDATE;
  SELECT balance INTO available FROM accounts WHERE id = p_from;
  IF available < p_amount THEN RETURN 'refused'; END IF;
  UPDATE accounts SET balance = balance + CASE id WHEN p_from THEN -p_amount ELSE p_amount END WHERE id IN (p_from, p_to);
  INSERT INTO entries (account, amount, transfer) VALUES (p_from, -p_amount, p_key), (p_to, p_amount, p_key);
  INSERT INTO idempotency (key, fingerprint, answer) VALUES (p_key, '', p_answer);
  RETURN p_answer;
END $$;`

export const openCrud = async (url, { connections, accounts, answer }) => {
  const pool = new pg.Pool({ connectionString: url, max: connections, options: '-c search_path=crud' })
  await pool.query(TABLES)
  await pool.query(`INSERT INTO accounts SELECT n::text, 1000000000 FROM generate_series(0, $1::int - 1) n`, [accounts])
  const prepared = (name, text) => (client, values) => client.query({ name, text, values })
  const known = prepared('known', 'SELECT answer FROM idempotency WHERE key = $1')
  const lock = prepared('lock', 'SELECT id, balance FROM accounts WHERE id IN ($1, $2) ORDER BY id FOR UPDATE')
  const move = prepared(
    'move',
    'UPDATE accounts SET balance = balance + CASE id WHEN $1 THEN -$3::bigint ELSE $3::bigint END WHERE id IN ($1, $2)',
  )
  const note = prepared('note', 'INSERT INTO entries (account, amount, transfer) VALUES ($1, -$3::bigint, $4), ($2, $3::bigint, $4)')
  const keep = prepared('keep', `INSERT INTO idempotency (key, fingerprint, answer) VALUES ($1, '', $2)`)
  return {
    async inSteps(key, from, to) {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        if ((await known(client, [key])).rows.length > 0) return await client.query('ROLLBACK')
        const { rows } = await lock(client, [from, to])
        if (Number(rows.find(({ id }) => id === from).balance) < 1) return await client.query('ROLLBACK')
        await move(client, [from, to, 1])
        await note(client, [from, to, 1, key])
        await keep(client, [key, answer])
        await client.query('COMMIT')
      } finally {
        client.release()
      }
    },
    inOne: (key, from, to) => pool.query({ name: 'transfer', text: 'SELECT transfer($1, $2, $3, 1, $4)', values: [key, from, to, answer] }),
    close: () => pool.end(),
  }
}

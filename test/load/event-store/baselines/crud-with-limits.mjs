// A transfer without events that asks every rule that the wallet asks: balance, what is loaded in a month and a year, what is sent in a month to a
// beneficiary and to others, how often in a day, and how much in the first 24 hours. One function of the database: the faster of the hand-written two.
import pg from 'pg'

const TABLES = `
CREATE SCHEMA limited;
SET search_path = limited;
CREATE TABLE limits (kyc text, rule text, since date, max bigint, PRIMARY KEY (kyc, rule, since));
INSERT INTO limits SELECT 'full', rule, '2021-08-27', 1000000000000000 FROM unnest(ARRAY['balance', 'loads-per-month', 'loads-per-year',
  'transfers-to-beneficiary-per-month', 'transfers-to-others-per-month', 'transfers-per-day', 'transfers-in-first-24-hours']) rule;
CREATE TABLE accounts (id text PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0), kyc text NOT NULL DEFAULT 'full', status text NOT NULL DEFAULT 'OPEN',
  opened_at timestamptz NOT NULL DEFAULT now(), month date NOT NULL DEFAULT '-infinity', loaded_month bigint NOT NULL DEFAULT 0,
  year date NOT NULL DEFAULT '-infinity', loaded_year bigint NOT NULL DEFAULT 0, sent_month bigint NOT NULL DEFAULT 0, day date NOT NULL DEFAULT '-infinity',
  sent_today bigint NOT NULL DEFAULT 0, sent_first_day bigint NOT NULL DEFAULT 0) WITH (fillfactor = 70);
CREATE TABLE beneficiaries (account text, beneficiary text, month date NOT NULL, sum bigint NOT NULL, PRIMARY KEY (account, beneficiary));
CREATE TABLE entries (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text NOT NULL, amount bigint NOT NULL, counterparty text NOT NULL,
  transfer text NOT NULL, reference text NOT NULL, actor text NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE idempotency (key text PRIMARY KEY, fingerprint text NOT NULL, answer text NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE FUNCTION above(p_kyc text, p_rule text, p_would bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN p_would > (SELECT max FROM limits WHERE kyc = p_kyc AND rule = p_rule AND since <= current_date ORDER BY since DESC LIMIT 1);
END $$;
CREATE FUNCTION transfer(p_key text, p_fingerprint text, p_from text, p_to text, p_amount bigint, p_reference text, p_actor text, p_answer text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  known idempotency;
  a accounts;
  b accounts;
  friend beneficiaries;
  today date := (now() AT TIME ZONE 'Asia/Kolkata')::date;
  this_month date := date_trunc('month', today);
  this_year date := make_date(extract(year FROM today - interval '3 months')::int, 4, 1);
BEGIN
  SELECT * INTO known FROM idempotency WHERE key = p_key;
  IF FOUND THEN RETURN CASE WHEN known.fingerprint = p_fingerprint THEN known.answer ELSE 'reused' END; END IF;
  PERFORM FROM accounts WHERE id IN (p_from, p_to) ORDER BY id FOR UPDATE;
  SELECT * INTO a FROM accounts WHERE id = p_from;
  SELECT * INTO b FROM accounts WHERE id = p_to;
  SELECT * INTO friend FROM beneficiaries WHERE account = p_from AND beneficiary = p_to;
  IF a.month < this_month THEN a.month := this_month; a.sent_month := 0; a.loaded_month := 0; END IF;
  IF a.day < today THEN a.day := today; a.sent_today := 0; END IF;
  IF b.month < this_month THEN b.month := this_month; b.loaded_month := 0; b.sent_month := 0; END IF;
  IF b.year < this_year THEN b.year := this_year; b.loaded_year := 0; END IF;
  IF a.status <> 'OPEN' OR b.status = 'CLOSED' OR a.balance < p_amount THEN RETURN 'refused'; END IF;
  IF friend IS NULL AND above(a.kyc, 'transfers-to-others-per-month', a.sent_month + p_amount)
    OR friend IS NOT NULL AND above(a.kyc, 'transfers-to-beneficiary-per-month', CASE WHEN friend.month < this_month THEN 0 ELSE friend.sum END + p_amount)
    OR above(a.kyc, 'transfers-per-day', a.sent_today + 1)
    OR now() < a.opened_at + interval '24 hours' AND above(a.kyc, 'transfers-in-first-24-hours', a.sent_first_day + p_amount)
    OR above(b.kyc, 'balance', b.balance + p_amount)
    OR above(b.kyc, 'loads-per-month', b.loaded_month + p_amount)
    OR above(b.kyc, 'loads-per-year', b.loaded_year + p_amount)
  THEN RETURN 'refused'; END IF;
  UPDATE accounts SET balance = balance - p_amount, month = a.month, loaded_month = a.loaded_month, day = a.day, sent_today = a.sent_today + 1,
    sent_month = a.sent_month + CASE WHEN friend IS NULL THEN p_amount ELSE 0 END,
    sent_first_day = sent_first_day + CASE WHEN now() < opened_at + interval '24 hours' THEN p_amount ELSE 0 END WHERE id = p_from;
  UPDATE accounts SET balance = balance + p_amount, month = b.month, sent_month = b.sent_month, loaded_month = b.loaded_month + p_amount,
    year = b.year, loaded_year = b.loaded_year + p_amount WHERE id = p_to;
  IF friend IS NOT NULL THEN UPDATE beneficiaries SET month = this_month, sum = CASE WHEN month < this_month THEN 0 ELSE sum END + p_amount
    WHERE account = p_from AND beneficiary = p_to; END IF;
  INSERT INTO entries (account, amount, counterparty, transfer, reference, actor)
  VALUES (p_from, -p_amount, p_to, p_key, p_reference, p_actor), (p_to, p_amount, p_from, p_key, p_reference, p_actor);
  INSERT INTO idempotency (key, fingerprint, answer) VALUES (p_key, p_fingerprint, p_answer);
  RETURN p_answer;
END $$;`

export const openCrudWithLimits = async (url, { connections, accounts, fingerprint, actor, answer }) => {
  const pool = new pg.Pool({ connectionString: url, max: connections, options: '-c search_path=limited' })
  await pool.query(TABLES)
  await pool.query('INSERT INTO accounts (id, balance) SELECT n::text, 1000000000 FROM generate_series(0, $1::int - 1) n', [accounts])
  return {
    async transfer(key, from, to) {
      const values = [key, fingerprint, from, to, 1, 'load', actor, answer]
      const { rows } = await pool.query({ name: 'transfer', text: 'SELECT transfer($1, $2, $3, $4, $5, $6, $7, $8) AS answer', values })
      if (rows[0].answer !== answer) throw new Error(`a transfer was answered ${rows[0].answer}`)
    },
    close: () => pool.end(),
  }
}

import { createPublicKey, hash, sign, verify as verifySignature, type KeyObject } from 'node:crypto'
import type pg from 'pg'
import type { ArchiveHere } from '../archive/archives.js'
import { inSnapshot, streamRows } from '../reading/consistent-read.js'

/** How far a stream had come, and the hash of its last event. */
export interface StreamHead {
  readonly stream: string
  readonly version: number
  readonly head: Uint8Array
  /** Of a checkpoint: the archive that it was in, null for none. Absent: it is of a version that did not say. */
  readonly archive?: string | null
}

/** What a checkpoint says of the whole. */
export interface CheckpointSeal {
  readonly incarnation: string
  /** The last position that is in it: what was rewritten after it cannot be told by it. */
  readonly position: string
  /** RFC 3339. */
  readonly at: string
  readonly streams: number
  /** Merkle root over the heads, hex. */
  readonly root: string
  /** The archives that there were, and whether each was in this database. Absent: it is of a version that did not say, nor where each stream was. */
  readonly archives?: readonly ArchiveHere[]
  /** Ed25519, base64url, over all of the above. */
  readonly signature: string
}

/** The checkpoint is not what was signed, or not by this key. Whether it is of another store `verifyAll` tells. */
export class CheckpointRefused extends Error {}

/**
 * The heads of all streams at one moment, as lines of JSON, and a last line that seals them with a key that the database never sees. Ed25519: `openssl
 * genpkey -algorithm ed25519`.
 */
export const writeCheckpoint = (
  pool: pg.Pool,
  key: KeyObject,
  now_ms: number,
  write: (line: string) => Promise<void>,
): Promise<CheckpointSeal> =>
  inSnapshot(pool, async (client, archives) => {
    const { rows } = await client.query<{ incarnation: string; position: bigint }>('SELECT incarnation, position FROM store')
    const [store] = rows
    if (!store) throw new Error('the store table is empty')
    const tree = new MerkleTree()
    for await (const { stream_id: stream, version, head, archive } of streamRows(client)) {
      const line = { stream, version: Number(version), head, archive }
      tree.add(leafOf(line))
      await write(JSON.stringify({ ...line, head: head.toString('hex') }))
    }
    const unsigned = {
      incarnation: store.incarnation,
      position: store.position.toString(),
      at: new Date(now_ms).toISOString(),
      streams: tree.leaves,
      root: tree.root().toString('hex'),
      archives,
    }
    const seal = { ...unsigned, signature: sign(null, signedBytes(unsigned), key).toString('base64url') }
    await write(JSON.stringify(seal))
    return seal
  })

/**
 * The heads of a checkpoint, line by line, and in the end its seal as the return value; throws `CheckpointRefused` there when they are not what this key
 * signed. Whoever reads must read to the end before believing any of it.
 */
export const readCheckpoint = async function* (
  lines: AsyncIterable<string>,
  publicKey: KeyObject,
): AsyncGenerator<StreamHead, CheckpointSeal> {
  const tree = new MerkleTree()
  let seal: CheckpointSeal | undefined
  for await (const line of lines) {
    if (line === '') continue
    if (seal) throw new CheckpointRefused('there is more after the end of the checkpoint')
    const json = parsed(line)
    if (isSeal(json)) seal = json
    else if (isHead(json)) {
      const { stream, version, archive } = json
      const head: StreamHead = { stream, version, head: Buffer.from(json.head, 'hex'), ...(archive === undefined ? {} : { archive }) }
      tree.add(leafOf(head))
      yield head
    } else throw new CheckpointRefused('a line is none of a checkpoint')
  }
  if (!seal) throw new CheckpointRefused('the checkpoint has no end')
  const { signature, ...unsigned } = seal
  if (unsigned.streams !== tree.leaves || unsigned.root !== tree.root().toString('hex'))
    throw new CheckpointRefused('the heads are not those that were signed')
  const key = publicKey.type === 'private' ? createPublicKey(publicKey) : publicKey
  if (!verifySignature(null, signedBytes(unsigned), key, Buffer.from(signature, 'base64url')))
    throw new CheckpointRefused('the signature is not by this key')
  return seal
}

/** The first says nothing of archives, neither in its seal nor in its leaves. What was signed so holds as it was. */
const DOMAINS = ['bahi.checkpoint.1', 'bahi.checkpoint.2'] as const

const signedBytes = ({ incarnation, position, at, streams, root, archives }: Omit<CheckpointSeal, 'signature'>): Buffer => {
  const signed = [incarnation, position, at, streams, root]
  if (!archives) return Buffer.from(JSON.stringify([DOMAINS[0], ...signed]))
  return Buffer.from(JSON.stringify([DOMAINS[1], ...signed, archives.map(({ name, here }) => [name, here])]))
}

const leafOf = ({ stream, version, head, archive }: StreamHead): Buffer =>
  Buffer.from(JSON.stringify([stream, version, Buffer.from(head).toString('hex'), ...(archive === undefined ? [] : [archive])]))

/** The Merkle tree hash of RFC 6962, section 2.1, as leaves come: it keeps one hash for each level. */
export class MerkleTree {
  leaves = 0
  /** Complete subtrees, the largest first; each as large as a bit of `leaves`. */
  #subtrees: Buffer[] = []

  add(leaf: Uint8Array): void {
    this.#subtrees.push(hash('sha256', Buffer.concat([Buffer.of(0), leaf]), 'buffer'))
    this.leaves++
    for (let size = this.leaves; size % 2 === 0; size /= 2) this.#join()
  }

  /** Of what was added so far. */
  root(): Buffer {
    const [last, ...larger] = this.#subtrees.toReversed()
    if (!last) return hash('sha256', Buffer.alloc(0), 'buffer')
    return larger.reduce((right, left) => node(left, right), last)
  }

  #join(): void {
    const right = this.#subtrees.pop()
    const left = this.#subtrees.pop()
    if (left && right) this.#subtrees.push(node(left, right))
  }
}

const node = (left: Uint8Array, right: Uint8Array): Buffer => hash('sha256', Buffer.concat([Buffer.of(1), left, right]), 'buffer')

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    throw new CheckpointRefused('a line is not JSON')
  }
}

type Fields = Readonly<Record<string, unknown>>

const isHead = (json: unknown): json is { stream: string; version: number; head: string; archive?: string | null } => {
  const { stream, version, head, archive = null } = (json ?? {}) as Fields
  return (
    typeof stream === 'string' &&
    Number.isSafeInteger(version) &&
    typeof head === 'string' &&
    /^([0-9a-f]{64})?$/.test(head) &&
    (archive === null || typeof archive === 'string')
  )
}

const isSeal = (json: unknown): json is CheckpointSeal => {
  const { incarnation, position, at, streams, root, signature, archives = [] } = (json ?? {}) as Fields
  return (
    [incarnation, position, at, root, signature].every((each) => typeof each === 'string') &&
    Number.isSafeInteger(streams) &&
    Array.isArray(archives) &&
    archives.every(isArchive)
  )
}

const isArchive = (json: unknown): json is ArchiveHere => {
  const { name, here } = (json ?? {}) as Fields
  return typeof name === 'string' && typeof here === 'boolean'
}

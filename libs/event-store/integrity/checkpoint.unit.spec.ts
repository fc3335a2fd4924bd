import { describe, expect, it } from '@jest/globals'
import { differences } from '#event-store'
import { createPublicKey } from 'node:crypto'
import { MerkleTree, readCheckpoint } from './checkpoint.js'

/** The known answers that certificate transparency's implementations test with (RFC 6962, section 2.1). */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

describe('the Merkle tree', () => {
  it('has the roots of RFC 6962', () => {
    const tree = new MerkleTree()
    expect(tree.root().toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    const roots = LEAVES.map((leaf) => {
      tree.add(Buffer.from(leaf, 'hex'))
      return tree.root().toString('hex')
    })
    expect(roots).toEqual(ROOTS)
    expect(tree.leaves).toBe(8)
  })
})

/** As it was signed before checkpoints said anything of archives. */
const OLDER_KEY = 'MCowBQYDK2VwAyEALgVOkx4piOL1bOkVQfTbMF8ui64GrSCJ/nii+qRG3xk='
const OLDER = [
  '{"stream":"tally-1","version":1,"head":"0101010101010101010101010101010101010101010101010101010101010101"}',
  '{"stream":"tally-2","version":2,"head":"0202020202020202020202020202020202020202020202020202020202020202"}',
  '{"stream":"tally-3","version":3,"head":"0303030303030303030303030303030303030303030303030303030303030303"}',
  '{"incarnation":"01935b5e-0000-7000-8000-000000000000","position":"6","at":"2026-11-01T00:00:00.000Z","streams":3,"root":"6d3e0c5161b7b663ec5daa0cdc6670365fb092b4041029072f977b54953cb76b","signature":"FJP13DX_F0PsZaLkJOBH9vqeRQrE3wS2OkhB606zalXCIGZTiF4QNvHzLwIZkZfmSFvIZ-pRsEqba2FtZIVhDQ"}',
]

describe('a checkpoint of the first format', () => {
  const read = async (lines: readonly string[]) => {
    const key = createPublicKey({ key: Buffer.from(OLDER_KEY, 'base64'), format: 'der', type: 'spki' })
    const all = readCheckpoint(
      (async function* () {
        yield* lines
      })(),
      key,
    )
    const heads = []
    for (;;) {
      const next = await all.next()
      if (next.done) return { heads, seal: next.value }
      heads.push(next.value)
    }
  }

  it('is read as it was signed', async () => {
    const { heads, seal } = await read(OLDER)
    expect(heads).toEqual([1, 2, 3].map((at) => ({ stream: `tally-${at}`, version: at, head: Buffer.alloc(32, at) })))
    expect(seal).toMatchObject({ position: '6', streams: 3 })
    expect(seal.archives).toBeUndefined()
  })

  it('is refused where something was put in of archives', async () => {
    await expect(read(OLDER.map((line) => line.replace('"version":2', '"version":2,"archive":null')))).rejects.toThrow(
      'not those that were signed',
    )
    await expect(read(OLDER.map((line) => line.replace('"streams"', '"archives":[],"streams"')))).rejects.toThrow('not by this key')
  })
})

describe('differences of two states', () => {
  it('are told by where they are', () => {
    const before = { a: 1, b: { 'x/y': [1, 2], same: true }, gone: null }
    const after = { a: 1, b: { 'x/y': [1, 3, 4], same: true }, come: 'x' }
    expect(differences(before, after)).toEqual([
      { path: '/b/x~1y/1', before: 2, after: 3 },
      { path: '/b/x~1y/2', after: 4 },
      { path: '/come', after: 'x' },
      { path: '/gone', before: null },
    ])
    expect(differences(before, structuredClone(before))).toEqual([])
    expect(differences(1, [1])).toEqual([{ path: '/', before: 1, after: [1] }])
  })
})

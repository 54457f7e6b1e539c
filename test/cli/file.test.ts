/** `sealdb file`: put, ls, get, rm between two stores over a relay; what is wrong is a wrong call and writes nothing. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sampleBytes } from '../files/samples.js'
import { relayUrl, run, temporary } from './support.js'

async function fine(argv: readonly string[], input?: string): Promise<string> {
  const { code, out, err } = await run(argv, input === undefined ? {} : { input })
  expect({ argv, code, err }).toEqual({ argv, code: 0, err: '' })
  return out
}

test('a photo goes from one member to another, byte for byte, and is gone after rm', async () => {
  const directory = temporary()
  const [ada, bob] = [join(directory, 'ada'), join(directory, 'bob')]
  await fine(['create', '--store', ada, '--relay', await relayUrl(), '--name', 'Ada'])
  await fine(['join', '--store', bob, '--name', 'Bob'], await fine(['invite', '--store', ada]))
  const photo = join(directory, 'harbour.jpg')
  writeFileSync(photo, sampleBytes(500_000))
  const { id } = JSON.parse(await fine(['file', 'put', photo, '--type', 'image/jpeg', '--store', ada, '--json'])) as { id: string }
  expect(JSON.parse(await fine(['file', 'ls', '--store', bob, '--json']))).toMatchObject([{ id, name: 'harbour.jpg', type: 'image/jpeg', length: 500_000, author: 1, local: '' }])
  expect(JSON.parse(await fine(['sql', 'SELECT id, name, type, length, author, local FROM sealdb_files', '--store', ada, '--json']))).toEqual([{ id, name: 'harbour.jpg', type: 'image/jpeg', length: 500_000, author: 1, local: 1 }])
  const copy = join(directory, 'copy.jpg')
  await fine(['file', 'get', id.slice(0, 8), '--out', copy, '--store', bob])
  expect(Buffer.compare(readFileSync(copy), sampleBytes(500_000))).toBe(0)
  expect(statSync(copy).mode & 0o777).toBe(0o600)
  const wrong: readonly (readonly [readonly string[], string])[] = [
    [['file', 'get', 'harbour.jpg', '--out', copy, '--store', bob], 'is there already'],
    [['file', 'get', 'nothing.jpg', '--store', bob], 'There is no file nothing.jpg'],
    [['file', 'put', join(directory, 'absent'), '--store', ada], 'Expected a file that can be read'],
    [['file', 'put', directory, '--store', ada], 'is none'],
    [['file', 'put', '--store', ada], 'Expected a file'],
    [['file', 'mv', 'x', '--store', ada], 'Expected the action'],
  ]
  for (const [argv, message] of wrong) {
    const { code, err } = await run(argv)
    expect([argv, code, err]).toEqual([argv, 2, expect.stringContaining(message)])
  }
  expect(JSON.parse(await fine(['file', 'release', 'harbour.jpg', '--store', bob, '--json']))).toMatchObject({ released: id })
  expect(JSON.parse(await fine(['file', 'ls', '--store', bob, '--json']))).toMatchObject([{ id, local: '' }])
  const refused = await run(['file', 'rm', id, '--store', bob])
  expect([refused.code, refused.err]).toEqual([3, expect.stringContaining('role')])
  await fine(['file', 'rm', 'harbour.jpg', '--store', ada])
  expect(JSON.parse(await fine(['file', 'ls', '--store', bob, '--json']))).toEqual([])
}, 60_000)

test('a name that another member gave says nothing about where it is written', async () => {
  const directory = temporary()
  const store = join(directory, 'ada')
  await fine(['create', '--store', store, '--name', 'Ada'])
  const source = join(directory, 'source')
  writeFileSync(source, 'x')
  const before = process.cwd()
  process.chdir(temporary())
  try {
    for (const [name, written] of [['../../evil', '_.._evil'], ['.bashrc', 'bashrc'], ['a/b\u0000c', 'a_b_c']] as const) {
      const put = (await run(['file', 'put', source, '--name', name, '--store', store, '--json'])).out
      const { id } = JSON.parse(put) as { id: string }
      await fine(['file', 'get', id, '--store', store])
      expect(existsSync(written)).toBe(true)
    }
  } finally {
    process.chdir(before)
  }
})

import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultProvider } from '#default-provider'
import { afterAll, describe, expect, it } from 'vitest'
import { openSpace } from '../../index.js'
import { fileStore, fileStoreIn } from '../../engine/store/file/file.js'
import { createSealing, openSealing } from '../../engine/store/sealing.js'
import { bytes, record, testStore } from './conformance.js'
import { SimulatedDisk } from './disk.js'

const places: string[] = []
const place = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'sealdb-store-'))
  places.push(path)
  return path
}
afterAll(() => Promise.all(places.map((path) => rm(path, { recursive: true }))))

testStore('file', async () => fileStore(await place()))
testStore('file, on a simulated disk', async () => fileStoreIn(new SimulatedDisk(), { segmentLength: 2000 }))
testStore('file, without fsync', async () => fileStore(await place(), { fsync: 'never' }))
testStore('file, small segments', async () => fileStore(await place(), { segmentLength: 2000 }))

const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
const everything = async (path: string): Promise<Buffer> => Buffer.concat(await Promise.all((await readdir(path)).map((name) => readFile(join(path, name)))))
const CHEAP = { argon2: { memoryKib: 64, passes: 1 } }

describe('file store: reading', () => {
  it('reads on in files that a compaction takes away', async () => {
    const disk = new SimulatedDisk()
    await using store = await fileStoreIn(disk, { segmentLength: 500 }).open()
    for (let i = 0; i < 30; i++) await store.commit({ at: i, append: [record(i)] })
    expect(disk.files().size).toBeGreaterThan(8)
    let compacting = true
    const compaction = store.compact().finally(() => (compacting = false))
    const reads: Promise<readonly Uint8Array[]>[] = []
    while (compacting) {
      reads.push(store.read(0, 30))
      for (let i = 0; i < 7; i++) await Promise.resolve()
    }
    await compaction
    expect(reads.length).toBeGreaterThan(10)
    for (const found of await Promise.all(reads)) expect(found).toEqual(Array.from({ length: 30 }, (_, i) => record(i)))
  })
})

describe('file store: its place', () => {
  it('is not made, nor touched, by who opens a space that is not there', async () => {
    const path = await place()
    await expect(openSpace({ store: fileStore(join(path, 'mistyped/team')) })).rejects.toMatchObject({ code: 'bad-argument', message: expect.stringContaining('no store in') as string })
    await expect(fileStore(path).open({ existing: true })).rejects.toMatchObject({ code: 'bad-argument' })
    expect(await readdir(path)).toEqual([])
    const store = fileStore(join(path, 'team'))
    await (await store.open()).close()
    await (await store.open({ existing: true })).close()
    await expect(openSpace({ store })).rejects.toMatchObject({ code: 'bad-argument', message: expect.stringContaining('holds no space') as string })
    await rm(join(path, 'team/manifest')) // one that lost it is no store that is not there
    await writeFile(join(path, 'team/snapshot'), '')
    await expect(store.open({ existing: true })).rejects.toMatchObject({ code: 'store-corrupt' })
  })

  it('is the directory that its path meant at first, wherever the process goes', async () => {
    const [path, before] = [await place(), process.cwd()]
    try {
      process.chdir(path)
      await using store = await fileStore('./team', { segmentLength: 500 }).open()
      process.chdir(before)
      for (let i = 0; i < 9; i++) await store.commit({ at: i, append: [record(i)] })
      await store.writeSnapshot(bytes('m'), [])
      await store.compact()
      for (const same of [join(path, 'team'), `${path}/team/`]) await expect(fileStore(same).open()).rejects.toMatchObject({ code: 'store-locked', message: expect.stringContaining('in this process') as string })
    } finally {
      process.chdir(before)
    }
    await using again = await fileStore(join(path, 'team')).open()
    expect(again.size).toBe(9)
  })
})

describe('file store: privacy', () => {
  it('keeps its files to their owner', async () => {
    const path = join(await place(), 'new', 'team')
    await using store = await fileStore(path).open()
    await store.commit({ put: [['a', bytes('b')]] })
    await store.writeSnapshot(bytes('m'), [])
    expect(await mode(path)).toBe(0o700)
    for (const name of await readdir(path)) expect([name, await mode(join(path, name))]).toEqual([name, 0o600])
  })

  for (const [what, good, wrong, other] of [
    ['a passphrase', { passphrase: 'naïve' }, { passphrase: 'naive' }, { key: new Uint8Array(32) }],
    ['a key', { key: new Uint8Array(32).fill(1) }, { key: new Uint8Array(32).fill(2) }, { passphrase: 'x' }],
  ] as const) {
    it(`seals secrets under ${what}`, async () => {
      const path = await place()
      const secret = bytes('the secret of the epoch')
      {
        await using store = await fileStore(path, { ...good, ...CHEAP }).open()
        await store.commit({ put: [['secret/epoch', secret], ['head', bytes('in plain')]] })
        await store.compact()
        await store.commit({ put: [['secret/other', secret]] })
      }
      const found = await everything(path)
      expect([found.includes(Buffer.from(secret)), found.includes('in plain')]).toEqual([false, true])
      for (const [unlock, reason] of [[{}, 'missing'], [wrong, 'wrong'], [other, 'other-kind']] as const) {
        await expect(fileStore(path, { ...unlock, ...CHEAP }).open()).rejects.toMatchObject({ code: 'store-sealed', facts: { reason } })
      }
      await using store = await fileStore(path, { ...good, ...CHEAP }).open()
      expect([store.get('secret/epoch'), store.get('secret/other')]).toEqual([secret, secret])
    })
  }

  it('takes the same passphrase however its accents are composed', async () => {
    const path = await place()
    await (await fileStore(path, { passphrase: 'na\u00efve', ...CHEAP }).open()).close()
    await (await fileStore(path, { passphrase: 'nai\u0308ve', ...CHEAP }).open()).close()
  })

  it('seals a store that was plain, and leaves nothing in plain', async () => {
    const path = await place()
    const secret = bytes('the secret of the epoch')
    {
      await using store = await fileStore(path).open()
      await store.commit({ at: 0, append: [record(0)], put: [['secret/epoch', secret]] })
    }
    expect((await everything(path)).includes(Buffer.from(secret))).toBe(true)
    {
      await using store = await fileStore(path, { key: new Uint8Array(32) }).open()
      expect([store.size, store.get('secret/epoch')]).toEqual([1, secret])
    }
    expect((await everything(path)).includes(Buffer.from(secret))).toBe(false)
    await expect(fileStore(path).open()).rejects.toMatchObject({ code: 'store-sealed' })
    await using store = await fileStore(path, { key: new Uint8Array(32) }).open()
    expect([await store.read(0, 1), store.get('secret/epoch')]).toEqual([[record(0)], secret])
  })

  it('binds a sealed value to its name and its store', () => {
    const options = { provider: defaultProvider(), random: (length: number) => crypto.getRandomValues(new Uint8Array(length)), unlock: { key: new Uint8Array(32) } }
    const id = new Uint8Array(16)
    const { header, sealing } = createSealing(id, options)
    const sealed = sealing.seal('secret/a', bytes('x'))
    expect(openSealing(id, header, options).open('secret/a', sealed)).toEqual(bytes('x'))
    expect(() => sealing.open('secret/b', sealed)).toThrow(expect.objectContaining({ code: 'open-failed' }))
    expect(() => sealing.open('secret/a', sealed.subarray(0, 20))).toThrow(expect.objectContaining({ code: 'open-failed' }))
    expect(() => openSealing(new Uint8Array(16).fill(1), header, options)).toThrow(expect.objectContaining({ code: 'store-sealed' }))
    expect(sealing.seal('secret/a', bytes('x'))).not.toEqual(sealed)
  })

  it('refuses a passphrase and a key at once, and a key of another length', async () => {
    await expect(fileStore(await place(), { passphrase: 'x', key: new Uint8Array(32) }).open()).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(fileStore(await place(), { key: new Uint8Array(31) }).open()).rejects.toMatchObject({ code: 'bad-argument' })
  })
})

describe('file store: the lock', () => {
  const host = Buffer.from(hostname()).toString('hex').slice(-32)

  it('is refused while another process that lives holds it, and taken from the dead', async () => {
    const path = await place()
    await (await fileStore(path).open()).close()
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    const start = (await readFile(`/proc/${String(other.pid)}/stat`, 'latin1')).split(') ')[1]?.split(' ')[19]
    await writeFile(join(path, `lock-${other.pid}-${start}-${host}-00`), '')
    await expect(fileStore(path).open()).rejects.toMatchObject({ code: 'store-locked', facts: { pid: other.pid } })
    await new Promise((resolve) => other.once('exit', resolve).kill('SIGKILL'))
    await (await fileStore(path).open()).close()
    expect((await readdir(path)).filter((name) => name.startsWith('lock-'))).toEqual([])
  })

  it('is not held by a process that only has the same number', async () => {
    const path = await place()
    await writeFile(join(path, `lock-${process.ppid}-1-${host}-00`), '')
    await (await fileStore(path).open()).close()
  })

  it('is held on another host while its file is touched', async () => {
    const path = await place()
    const file = join(path, `lock-${process.pid}-1-abcdef-00`)
    await writeFile(file, '')
    await expect(fileStore(path).open()).rejects.toMatchObject({ code: 'store-locked' })
    const old = new Date(Date.now() - 120_000)
    await utimes(file, old, old)
    await (await fileStore(path).open()).close()
  })

  it('is held under another name of the same directory', async () => {
    const path = await place()
    await using store = await fileStore(path).open()
    expect(store.size).toBe(0)
    await expect(fileStore(`${path}/.`).open()).rejects.toMatchObject({ code: 'store-locked' })
  })

  it('is let go when opening fails', async () => {
    const path = await place()
    await (await fileStore(path).open()).close()
    await writeFile(join(path, 'manifest'), 'nonsense')
    for (let i = 0; i < 2; i++) await expect(fileStore(path).open()).rejects.toMatchObject({ code: 'store-corrupt', facts: { file: 'manifest', offset: 0 } })
    expect((await readdir(path)).filter((name) => name.startsWith('lock-'))).toEqual([])
  })
})

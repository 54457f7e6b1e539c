import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes, concatBytes, encodeBase64, encodeHex, encodeUtf8, equalBytes } from '../../engine/codec/bytes.js'
import { isSealError } from '../../engine/errors.js'
import { MAX_NOTE_LENGTH } from '../../engine/limits.js'
import {
  type Checkpoint, checkpointSigner, checkpointVerifier, cosignCheckpoint, formatCheckpoint, formatStateLine, openCheckpoint, originOfSpace,
  parseCheckpoint, parseStateLine, signCheckpoint,
} from '../../engine/log/checkpoint.js'
import { cosignatureVerifier, cosignedMessage, cosigner, timestampOf } from '../../engine/log/cosignature.js'
import { EMPTY_LOG_ROOT } from '../../engine/log/merkle.js'
import { formatNote, formatVerifierKey, NOTE_ALGORITHM, noteKeyId, parseNote, parseVerifierKey, signNote, verifyNote } from '../../engine/log/note.js'
import { crypto } from './crypto.js'
import { codeOf } from '../outcomes.js'

const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const logKey = crypto.signer(seed(1))
const witnessKey = crypto.signer(seed(2))
const strangerKey = crypto.signer(seed(3))

const origin = originOfSpace(seed(7))
const log = checkpointSigner(crypto, origin, logKey)
const logVerifier = checkpointVerifier(crypto, origin, logKey.publicKey)
const witness = cosigner(crypto, 'witness.example/w1', witnessKey, 1679315147n)
const witnessVerifier = cosignatureVerifier(crypto, 'witness.example/w1', witnessKey.publicKey)
const stranger = checkpointSigner(crypto, 'stranger.example', strangerKey)

const checkpoint: Checkpoint = { origin, size: 20852163, root: seed(9), extensions: [formatStateLine(seed(8))] }
const plain = signCheckpoint(checkpoint, [log])
const cosigned = cosignCheckpoint(plain, witness)

describe('golden', () => {
  // golang.org/x/mod/sumdb/note, note_test.go: Ed25519 is deterministic, so the note must come out byte for byte.
  const peterText = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
  const peterNote = `${peterText}\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`
  const peterKey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'

  test("Go's reference note opens with its verifier key", () => {
    const { name, algorithm, publicKey } = parseVerifierKey(crypto, peterKey)
    expect([name, algorithm]).toEqual(['PeterNeumann', NOTE_ALGORITHM.ed25519])
    expect(formatVerifierKey(crypto, name, algorithm, publicKey)).toBe(peterKey)
    const note = parseNote(encodeUtf8(peterNote))
    expect(note.text).toBe(peterText)
    const opened = verifyNote(note, [checkpointVerifier(crypto, name, publicKey)])
    expect(opened.signatures).toHaveLength(1)
    expect(formatNote(opened)).toEqual(encodeUtf8(peterNote))
  })

  test("signing with Go's reference key gives the reference note", () => {
    // PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz: algorithm byte, then the seed.
    const secret = Uint8Array.from(atob('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz'), (c) => c.charCodeAt(0)).slice(1)
    const signer = checkpointSigner(crypto, 'PeterNeumann', crypto.signer(secret))
    expect(encodeHex(signer.keyId)).toBe('c74f20a3')
    expect(formatNote(signNote(peterText, [signer]))).toEqual(encodeUtf8(peterNote))
  })

  test('key ids of published cosigner keys are theirs', () => {
    for (const key of ['remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2', 'TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6']) {
      const { name, algorithm, publicKey } = parseVerifierKey(crypto, key)
      expect(formatVerifierKey(crypto, name, algorithm, publicKey)).toBe(key)
    }
  })

  test("the specifications' examples parse", () => {
    const example = parseNote(
      encodeUtf8(
        'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n' +
          '\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n' +
          '\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n',
      ),
    )
    expect(parseCheckpoint(example.text)).toMatchObject({ origin: 'example.com/behind-the-sofa', size: 20852163, extensions: [] })
    expect(formatCheckpoint(parseCheckpoint(example.text))).toBe(example.text)
    expect(timestampOf(example.signatures[1]?.signature as Uint8Array)).toBe(1679315147n)
    expect(encodeHex(example.signatures[1]?.keyId as Uint8Array)).toBe('8d66cf3f')
    expect(new TextDecoder().decode(cosignedMessage(encodeUtf8(example.text), 1679315147n))).toBe(
      'cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
    )
    // A text with an empty line in it, and letters beyond ASCII.
    const poem = parseNote(
      encodeUtf8(
        'Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned \u00e8 subito sera.\n\n' +
          '\u2014 quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n',
      ),
    )
    expect(poem.text.split('\n\n')).toHaveLength(2)
    expect(poem.signatures.map((s) => s.name)).toEqual(['quasimodo.example/salvatore'])
    expect(codeOf(() => parseCheckpoint(poem.text))).toBe('bad-checkpoint')
  })
})

describe('open', () => {
  test('gives what was signed, with the witnesses that are known', () => {
    const opened = openCheckpoint(cosigned, origin, logVerifier, [witnessVerifier])
    expect(opened).toMatchObject(checkpoint)
    expect(opened.note).toEqual(cosigned)
    expect(opened.cosignatures).toMatchObject([{ name: 'witness.example/w1', timestamp: 1679315147n }])
    expect(parseStateLine(opened)).toEqual(seed(8))
    expect(openCheckpoint(cosigned, origin, logVerifier).cosignatures).toEqual([])
    expect(openCheckpoint(plain, origin, logVerifier, [witnessVerifier]).cosignatures).toEqual([])
  })

  test('needs the log: its name, its key, its origin', () => {
    expect(codeOf(() => openCheckpoint(plain, originOfSpace(seed(6)), logVerifier))).toBe('bad-checkpoint')
    expect(codeOf(() => openCheckpoint(plain, origin, checkpointVerifier(crypto, origin, strangerKey.publicKey)))).toBe('bad-signature')
    expect(codeOf(() => openCheckpoint(plain, origin, checkpointVerifier(crypto, 'other.example', logKey.publicKey)))).toBe('bad-signature')
    expect(codeOf(() => openCheckpoint(signCheckpoint(checkpoint, [stranger]), origin, logVerifier))).toBe('bad-signature')
    const onlyWitness = signCheckpoint(checkpoint, [witness])
    expect(codeOf(() => openCheckpoint(onlyWitness, origin, logVerifier, [witnessVerifier]))).toBe('bad-signature')
    // The log's key as a cosigner is another key, by its id.
    const asWitness = signCheckpoint(checkpoint, [cosigner(crypto, origin, logKey, 1n)])
    expect(codeOf(() => openCheckpoint(asWitness, origin, logVerifier))).toBe('bad-signature')
    // A key id alone is forged in a moment: same name and id, another key.
    const forged = { name: origin, keyId: logVerifier.keyId, sign: (text: Uint8Array) => strangerKey.sign(text) }
    expect(codeOf(() => openCheckpoint(signCheckpoint(checkpoint, [forged]), origin, logVerifier))).toBe('bad-signature')
  })

  test('ignores strangers, refuses a wrong signature of anyone known', () => {
    const noisy = signCheckpoint(checkpoint, [stranger, log, witness])
    expect(openCheckpoint(noisy, origin, logVerifier, [witnessVerifier])).toMatchObject(checkpoint)
    const wrong = { name: witness.name, keyId: witness.keyId, sign: () => new Uint8Array(72) }
    expect(codeOf(() => openCheckpoint(signCheckpoint(checkpoint, [log, wrong]), origin, logVerifier, [witnessVerifier]))).toBe('bad-signature')
    expect(openCheckpoint(signCheckpoint(checkpoint, [log, wrong]), origin, logVerifier)).toMatchObject(checkpoint)
    const short = { ...wrong, sign: () => new Uint8Array(71) }
    expect(codeOf(() => openCheckpoint(signCheckpoint(checkpoint, [log, short]), origin, logVerifier, [witnessVerifier]))).toBe('bad-signature')
  })

  test('a repeated signature counts once, and only the first is looked at', () => {
    const junk = { ...log, sign: () => new Uint8Array(64) }
    expect(openCheckpoint(signCheckpoint(checkpoint, [log, junk]), origin, logVerifier)).toMatchObject(checkpoint)
    expect(codeOf(() => openCheckpoint(signCheckpoint(checkpoint, [junk, log]), origin, logVerifier))).toBe('bad-signature')
    const twice = openCheckpoint(signCheckpoint(checkpoint, [log, witness, witness]), origin, logVerifier, [witnessVerifier])
    expect(twice.cosignatures).toHaveLength(1)
  })

  test('a cosignature covers extension lines and its time', () => {
    const { text, signatures } = parseNote(cosigned)
    const [logSignature, cosignature] = signatures
    const moved = formatNote({ text, signatures: [logSignature, { ...cosignature, signature: concatBytes(new Uint8Array(8), (cosignature?.signature ?? seed(0)).slice(8)) }] as typeof signatures })
    expect(codeOf(() => openCheckpoint(moved, origin, logVerifier, [witnessVerifier]))).toBe('bad-signature')
    const other = formatCheckpoint({ ...checkpoint, extensions: [formatStateLine(seed(5))] })
    const transplanted = formatNote({ ...signNote(other, [log]), signatures: [...signNote(other, [log]).signatures, cosignature] as typeof signatures })
    expect(codeOf(() => openCheckpoint(transplanted, origin, logVerifier, [witnessVerifier]))).toBe('bad-signature')
    expect(codeOf(() => cosigner(crypto, 'w', witnessKey, -1n))).toBe('bad-value')
    expect(codeOf(() => cosigner(crypto, 'w', witnessKey, 2n ** 63n))).toBe('bad-value')
    const far = { ...witness, sign: (body: Uint8Array) => concatBytes(new Uint8Array(8).fill(255), witnessKey.sign(cosignedMessage(body, 2n ** 64n - 1n))) }
    expect(codeOf(() => openCheckpoint(signCheckpoint(checkpoint, [log, far]), origin, logVerifier, [witnessVerifier]))).toBe('bad-signature')
  })
})

describe('any damage', () => {
  test('to any byte: refused, or the same checkpoint with that witness unknown', () => {
    let ignored = 0
    for (let i = 0; i < cosigned.length; i++) {
      const changed = cosigned.slice()
      changed[i] = (changed[i] as number) ^ (1 << i % 8)
      try {
        const opened = openCheckpoint(changed, origin, logVerifier, [witnessVerifier])
        // Only a changed name or key id of the witness may pass, as a stranger's signature.
        expect(opened).toMatchObject(checkpoint)
        expect(opened.cosignatures).toEqual([])
        expect(i).toBeGreaterThanOrEqual(plain.length)
        ignored += 1
      } catch (error) {
        if (!isSealError(error)) throw error
        expect(['bad-checkpoint', 'bad-signature']).toContain(error.code)
      }
    }
    expect(ignored).toBeGreaterThan(0)
  })

  test('cut anywhere, or continued', () => {
    for (let i = 0; i < cosigned.length; i++) {
      const code = codeOf(() => openCheckpoint(cosigned.subarray(0, i), origin, logVerifier, [witnessVerifier]))
      if (i === plain.length) expect(code).toBe('no error')
      else expect(code).toBe('bad-checkpoint')
    }
    for (const tail of ['\n', ' ', '\u2014 x\n', 'x', '\n\n\u2014 a AAAAAAA=\n']) expect(codeOf(() => openCheckpoint(concatBytes(plain, encodeUtf8(tail)), origin, logVerifier))).toBe('bad-checkpoint')
  })

  test('random bytes and random texts throw nothing but typed errors', () => {
    const piece = fc.constantFrom('\n', '\n\n', '\u2014 ', ' ', 'a', '+', '0', '12', 'AAAAAAA=', encodeBase64(seed(1)), '\u0085', '\u2003', '\t', '\r', '\0', '\u{1f600}', origin)
    const codes = new Set(['bad-checkpoint', 'bad-signature', 'no error'])
    fc.assert(fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
      const bytes = encodeUtf8(pieces.join(''))
      expect(codes).toContain(codeOf(() => openCheckpoint(bytes, origin, logVerifier)))
      expect(codes).toContain(codeOf(() => parseCheckpoint(pieces.join(''))))
      expect(['bad-encoding', 'no error']).toContain(codeOf(() => parseVerifierKey(crypto, pieces.join(''))))
      if (codeOf(() => parseNote(bytes)) === 'no error') expect(compareBytes(formatNote(parseNote(bytes)), bytes)).toBe(0)
    }), { numRuns: 5000 })
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void expect(codes).toContain(codeOf(() => openCheckpoint(bytes, origin, logVerifier)))))
  })
})

describe('strictness', () => {
  const line = `\u2014 ${origin} ${encodeBase64(concatBytes(log.keyId, new Uint8Array(64)))}\n`
  test.each([
    ['no signature', 'a\n\n'],
    ['no empty line', `a\n${line}`],
    ['no final newline', `a\n\n${line.slice(0, -1)}`],
    ['a hyphen for the dash', `a\n\n${line.replace('\u2014', '-')}`],
    ['two spaces', `a\n\n${line.replace(' ', '  ')}`],
    ['no name', 'a\n\n\u2014  AAAAAAAA\n'],
    ['a plus in the name', 'a\n\n\u2014 a+b AAAAAAAA\n'],
    ['a no-break space in the name', 'a\n\n\u2014 a\u00a0b AAAAAAAA\n'],
    ['U+0085 in the name', 'a\n\n\u2014 a\u0085b AAAAAAAA\n'],
    ['a key id without signature', 'a\n\n\u2014 a AAAAAA==\n'],
    ['base64 without padding', 'a\n\n\u2014 a AAAAAAA\n'],
    ['base64 with spare bits', 'a\n\n\u2014 a AAAAAAB=\n'],
    ['base64url', 'a\n\n\u2014 a AAAAAAA_\n'],
    ['a carriage return', `a\r\n\n${line}`],
    ['a tab', `a\tb\n\n${line}`],
    ['a NUL', `a\0b\n\n${line}`],
    ['an empty line among signatures', `a\n\n${line}\n${line}x`],
    ['no text', `\n${line}`],
  ])('a note with %s is refused', (_, text) => {
    expect(codeOf(() => parseNote(encodeUtf8(text)))).toBe('bad-checkpoint')
  })

  test('a note that is not UTF-8, too long, or signed too often is refused', () => {
    expect(codeOf(() => parseNote(concatBytes(Uint8Array.of(0xff), encodeUtf8(`a\n\n${line}`))))).toBe('bad-checkpoint')
    expect(codeOf(() => parseNote(new Uint8Array(MAX_NOTE_LENGTH + 1)))).toBe('too-large')
    expect(codeOf(() => parseNote(encodeUtf8(`a\n\n${'\u2014 a AAAAAAA=\n'.repeat(100)}`)))).toBe('no error')
    expect(codeOf(() => parseNote(encodeUtf8(`a\n\n${'\u2014 a AAAAAAA=\n'.repeat(101)}`)))).toBe('too-large')
    expect(codeOf(() => formatNote({ text: `${'a'.repeat(MAX_NOTE_LENGTH)}\n`, signatures: signNote('a\n', [log]).signatures }))).toBe('too-large')
  })

  const root = encodeBase64(seed(9))
  test.each([
    ['an empty origin', `\n5\n${root}\n`],
    ['two lines', 'o\n5\n'],
    ['no final newline', `o\n5\n${root}`],
    ['a leading zero', `o\n05\n${root}\n`],
    ['a sign', `o\n+5\n${root}\n`],
    ['an exponent', `o\n1e3\n${root}\n`],
    ['2^48 leaves', `o\n281474976710656\n${root}\n`],
    ['2^53 leaves', `o\n9007199254740992\n${root}\n`],
    ['other digits', `o\n\u0665\n${root}\n`],
    ['a root of 31 bytes', `o\n5\n${encodeBase64(new Uint8Array(31))}\n`],
    ['a root of 33 bytes', `o\n5\n${encodeBase64(new Uint8Array(33))}\n`],
    ['a root with spare bits', `o\n5\n${root.slice(0, 42)}${String.fromCharCode(root.charCodeAt(42) + 1)}=\n`],
    ['size 0 and another root than that of nothing', `o\n0\n${root}\n`],
    ['an empty extension line', `o\n5\n${root}\n\nx\n`],
    ['nothing', ''],
  ])('a checkpoint with %s is refused', (_, text) => {
    expect(codeOf(() => parseCheckpoint(text))).toBe('bad-checkpoint')
  })

  test('what could not be read back is not written', () => {
    expect(parseCheckpoint(`o\n0\n${encodeBase64(EMPTY_LOG_ROOT)}\n`).size).toBe(0)
    expect(parseCheckpoint(`o\n281474976710655\n${root}\n`).size).toBe(2 ** 48 - 1)
    for (const change of [{ origin: '' }, { origin: 'a\nb' }, { size: 0.5 }, { size: 2 ** 48 }, { size: -1 }, { root: new Uint8Array(31) }, { extensions: [''] }, { extensions: ['a\nb'] }]) {
      expect(codeOf(() => signCheckpoint({ ...checkpoint, ...change }, [log]))).toBe('bad-value')
    }
    expect(codeOf(() => signCheckpoint({ ...checkpoint, origin: 'a\tb' }, [log]))).toBe('bad-value')
    expect(codeOf(() => signCheckpoint({ ...checkpoint, origin: '\ud800' }, [log]))).toBe('bad-value')
    expect(codeOf(() => signCheckpoint(checkpoint, []))).toBe('bad-value')
    for (const name of ['', 'a b', 'a+b', 'a\u2003b', '\udc00']) expect(codeOf(() => noteKeyId(crypto, name, 1, logKey.publicKey))).toBe('bad-value')
    expect(codeOf(() => originOfSpace(new Uint8Array(31)))).toBe('bad-value')
    expect(codeOf(() => formatStateLine(new Uint8Array(31)))).toBe('bad-value')
  })

  test('a state line is alone and exact', () => {
    const good = formatStateLine(seed(8))
    for (const extensions of [[], [good, good], [good, 'x'], [good.toUpperCase()], [`${good}=`], [good.slice(0, -1)], ['sealdb-state-v1 ']]) {
      expect(codeOf(() => parseStateLine({ ...checkpoint, extensions }))).toBe('bad-checkpoint')
    }
  })

  test('verifier keys', () => {
    const good = formatVerifierKey(crypto, 'w.example', NOTE_ALGORITHM.cosignature, witnessKey.publicKey)
    expect(parseVerifierKey(crypto, good)).toMatchObject({ name: 'w.example', algorithm: 4 })
    for (let i = 0; i < good.length; i++) {
      expect(codeOf(() => parseVerifierKey(crypto, good.slice(0, i)))).toBe('bad-encoding')
      const changed = good.slice(0, i) + String.fromCharCode(good.charCodeAt(i) + 1) + good.slice(i + 1)
      expect(codeOf(() => parseVerifierKey(crypto, changed))).toBe('bad-encoding')
    }
    expect(codeOf(() => parseVerifierKey(crypto, formatVerifierKey(crypto, 'w', 2, witnessKey.publicKey)))).toBe('bad-encoding')
    expect(codeOf(() => parseVerifierKey(crypto, formatVerifierKey(crypto, 'w', 1, concatBytes(witnessKey.publicKey, seed(0)))))).toBe('bad-encoding')
    expect(equalBytes(parseVerifierKey(crypto, good).publicKey, witnessKey.publicKey)).toBe(true)
  })
})

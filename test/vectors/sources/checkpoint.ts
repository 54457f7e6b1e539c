/** Vectors of PROTOCOL.md §4, checkpoints: signed, cosigned, and notes to be refused. */
import { decodeUtf8, encodeHex, encodeUtf8 } from '../../../engine/codec/bytes.js'
import { checkpointSigner, checkpointVerifier, cosignCheckpoint, formatStateLine, openCheckpoint, originOfSpace, signCheckpoint } from '../../../engine/log/checkpoint.js'
import { cosignatureVerifier, cosigner } from '../../../engine/log/cosignature.js'
import { formatVerifierKey, NOTE_ALGORITHM } from '../../../engine/log/note.js'
import { crypto } from '../../log/crypto.js'
import { type Json, type VectorSource } from '../registry.js'
import { codeOf } from './codec.js'

export const source: VectorSource = { name: 'checkpoint', build }

const fill = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

function build(): Json {
  const origin = originOfSpace(fill(7))
  const relay = crypto.signer(fill(1))
  const witness = crypto.signer(fill(2))
  const witnessName = 'witness.example/w1'
  const timestamp = 1679315147n
  const note = signCheckpoint({ origin, size: 20852163, root: fill(9), extensions: [formatStateLine(fill(8))] }, [checkpointSigner(crypto, origin, relay)])
  const cosigned = cosignCheckpoint(note, cosigner(crypto, witnessName, witness, timestamp))
  const log = checkpointVerifier(crypto, origin, relay.publicKey)
  const open = (text: string): unknown => openCheckpoint(encodeUtf8(text), origin, log, [cosignatureVerifier(crypto, witnessName, witness.publicKey)])
  const text = decodeUtf8(cosigned)
  open(text)
  const changes: Readonly<Record<string, string>> = {
    'another size': text.replace('20852163', '20852164'),
    'a leading zero': text.replace('20852163', '020852163'),
    'another state root': text.replace('sealdb-state-v1 CAgI', 'sealdb-state-v1 CQgI'),
    'another origin': text.replace('space/07', 'space/06'),
    'no empty line': text.replace('\n\n', '\n'),
    'no final newline': text.slice(0, -1),
    'one more line': text.replace('\n\n', '\nx\n\n'),
    'an empty line in the text': text.replace('\n\n', '\n\nx\n\n'),
    'base64 without padding': text.replaceAll('=', ''),
    'the witness alone': text.replace(/\u2014 sealdb[^\n]*\n/, ''),
    'a carriage return': text.replace('\n', '\r\n'),
    'another time of the witness': text.replace(/(w1 .{6}AAAABkGF)D/, '$1E'),
  }
  return {
    section: '4 Log and checkpoints',
    spaceId: encodeHex(fill(7)),
    relaySeed: encodeHex(fill(1)),
    relayKey: formatVerifierKey(crypto, origin, NOTE_ALGORITHM.ed25519, relay.publicKey),
    witnessSeed: encodeHex(fill(2)),
    witnessKey: formatVerifierKey(crypto, witnessName, NOTE_ALGORITHM.cosignature, witness.publicKey),
    checkpoint: { origin, size: 20852163, root: encodeHex(fill(9)), stateRoot: encodeHex(fill(8)) },
    signed: decodeUtf8(note),
    timestamp: String(timestamp),
    cosigned: text,
    refused: Object.entries(changes).map(([what, changed]) => ({ what, note: changed, error: codeOf(() => open(changed)) })),
  }
}

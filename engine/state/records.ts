/**
 * Keys and values of leaves, packed: a million rows are a few thousand slabs, not a million objects.
 *
 * A record is a key followed by its value, in a block of a size class (multiples of 16 up to 512 bytes, then eight per doubling). A slab
 * holds blocks of one class; an empty slab is given back, so that released memory can serve any other class, or leave.
 * A record's id is slab number × 4096 + block number.
 */
import { EMPTY_BYTES } from '../codec/bytes.js'
import { invariant } from '../errors.js'
import { zeroBytes } from './pool.js'

const MAX_SLAB_BYTES = 64 * 1024
const MAX_BLOCKS = 4096
const MAX_SLABS = 2 ** 20
/** Longer records have a slab of their own. */
const MAX_SHARED_LENGTH = 32 * 1024
const FIRST_BLOCKS = 4

interface Slab {
  readonly id: number
  /** Emptied when the slab is given back. */
  bytes: Uint8Array
  readonly blockLength: number
  readonly blocks: number
  readonly sizeClass: SizeClass | undefined
  live: number
  /** Blocks handed out at least once; the rest were never touched. */
  used: number
  /** First free block + 1, the next one's in its first two bytes; 0 for none. */
  free: number
  open: boolean
}

/** The blocks of a slab that are in use. */
export interface SlabShape {
  readonly blockLength: number
  readonly used: number
}
export interface SlabImage extends SlabShape {
  readonly bytes: Uint8Array
}

/** Slabs to be taken up: each is asked for when something in it is read, once. */
export interface SlabSource {
  readonly slabs: readonly SlabShape[]
  slab(number: number): Uint8Array
}

interface SizeClass {
  readonly blockLength: number
  /** Slabs that may have a free block, the one in use last. */
  readonly open: Slab[]
  nextBlocks: number
}

export class Records {
  readonly #slabs: (Slab | undefined)[] = []
  /** Of slabs that nobody has read yet, which are not here. */
  #source: SlabSource | undefined
  readonly #vacant: number[] = []
  readonly #classes: (SizeClass | undefined)[] = []
  /** Bytes of all slabs. */
  capacityBytes = 0
  /** Bytes of keys and values alive. */
  liveBytes = 0

  /** The id of a new record: a key, and what follows it. */
  store(key: Uint8Array, value: Uint8Array): number {
    const length = key.length + value.length
    const slab = length > MAX_SHARED_LENGTH ? this.#addSlab(undefined, length, 1) : this.#openSlab(length)
    let block: number
    if (slab.free !== 0) {
      block = slab.free - 1
      const at = block * slab.blockLength
      slab.free = (slab.bytes[at] as number) | ((slab.bytes[at + 1] as number) << 8)
    } else {
      block = slab.used++
    }
    slab.live++
    this.liveBytes += length
    const at = block * slab.blockLength
    copy(key, slab.bytes, at)
    copy(value, slab.bytes, at + key.length)
    return slab.id * MAX_BLOCKS + block
  }

  /** Give a record of that many bytes back. */
  free(record: number, length: number): void {
    const slab = this.#slabOf(record)
    slab.live--
    this.liveBytes -= length
    const { sizeClass } = slab
    if (slab.live === 0 && (sizeClass === undefined || sizeClass.open[sizeClass.open.length - 1] !== slab)) {
      this.#slabs[slab.id] = undefined
      this.#vacant.push(slab.id)
      this.capacityBytes -= slab.bytes.length
      slab.bytes = EMPTY_BYTES
      slab.free = 0
      slab.used = slab.blocks // so that the class, which may still list it, finds it full
      return
    }
    const block = record & 4095
    const at = block * slab.blockLength
    slab.bytes[at] = slab.free & 0xff
    slab.bytes[at + 1] = slab.free >>> 8
    slab.free = block + 1
    if (!slab.open && sizeClass !== undefined) {
      slab.open = true
      sizeClass.open.unshift(slab)
    }
  }

  /** The slab that holds a record. Never leaves this folder: its bytes change hands. */
  bytesOf(record: number): Uint8Array {
    return this.#slabOf(record).bytes
  }

  startOf(record: number): number {
    return (record & 4095) * this.#slabOf(record).blockLength
  }

  /** As they lie: for records of which none was freed. */
  image(): SlabImage[] {
    return this.#slabs.map((slab) => {
      const { bytes, blockLength, used } = slab as Slab
      return { blockLength, used, bytes: bytes.subarray(0, blockLength * used) }
    })
  }

  /** Take up an image; what it gives passes into the ownership of these records, which hold nothing yet. */
  restore(source: SlabSource): void {
    this.#source = source
    this.#slabs.length = source.slabs.length
    for (const { blockLength, used } of source.slabs) this.liveBytes += blockLength * used // at most
  }

  /** A slab that is not here yet. */
  #load(id: number): Slab {
    const shape = this.#source?.slabs[id]
    invariant(this.#source !== undefined && shape !== undefined, 'a record of the state tree is in a slab that is here')
    const { blockLength, used } = shape
    const bytes = this.#source.slab(id)
    const sizeClass = blockLength > MAX_SHARED_LENGTH ? undefined : this.#classOf(blockLength)
    const slab: Slab = { id, bytes, blockLength, blocks: used, sizeClass, live: used, used, free: 0, open: false }
    this.#slabs[id] = slab
    this.capacityBytes += bytes.length
    return slab
  }

  #slabOf(record: number): Slab {
    return this.#slabs[record >>> 12] ?? this.#load(record >>> 12)
  }

  #openSlab(length: number): Slab {
    const sizeClass = this.#classOf(length)
    const { open } = sizeClass
    for (;;) {
      const slab = open[open.length - 1]
      if (slab === undefined) break
      if (slab.free !== 0 || slab.used < slab.blocks) return slab
      slab.open = false
      open.pop()
    }
    const { blockLength } = sizeClass
    const most = Math.min(MAX_BLOCKS, Math.floor(MAX_SLAB_BYTES / blockLength))
    const slab = this.#addSlab(sizeClass, blockLength, Math.min(sizeClass.nextBlocks, most))
    sizeClass.nextBlocks = Math.min(most, sizeClass.nextBlocks * 4)
    open.push(slab)
    return slab
  }

  #classOf(length: number): SizeClass {
    const shift = length <= 512 ? 4 : 28 - Math.clz32(length - 1)
    const units = length === 0 ? 1 : Math.ceil(length / 2 ** shift)
    const index = length <= 512 ? units : 32 + shift * 16 + units
    return (this.#classes[index] ??= { blockLength: units << shift, open: [], nextBlocks: FIRST_BLOCKS })
  }

  #addSlab(sizeClass: SizeClass | undefined, blockLength: number, blocks: number): Slab {
    const id = this.#vacant.pop() ?? this.#slabs.length
    invariant(id < MAX_SLABS, 'the state tree outgrew its record ids')
    const bytes = zeroBytes(blockLength * blocks)
    const slab: Slab = { id, bytes, blockLength, blocks, sizeClass, live: 0, used: 0, free: 0, open: sizeClass !== undefined }
    this.#slabs[id] = slab
    this.capacityBytes += bytes.length
    return slab
  }
}

/** Short copies are faster by hand than through `set`. */
function copy(from: Uint8Array, to: Uint8Array, at: number): void {
  if (from.length > 48) to.set(from, at)
  else for (let i = 0; i < from.length; i++) to[at + i] = from[i] as number
}

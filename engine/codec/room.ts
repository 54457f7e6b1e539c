/**
 * Large arrays that are used again. Memory that is new has to be mapped page by page as it is first written: of three megabytes that takes six times as long as
 * writing them, and the collector counts every one that it has yet to free.
 *
 * Whoever takes one gives it back when nobody can look at it any more, or lets go of it. What is in it is whatever was there before.
 */
import { invariant } from '../errors.js'

/** Shorter ones cost little. */
const SHORTEST = 1 << 16
/** So much is kept, twice: an entry of ten thousand rows. */
const LONGEST = 1 << 22
const MOST = 2
const STEP = 1 << 18

const idle: Uint8Array[] = []

/** At least `length` bytes. */
export function takeRoom(length: number): Uint8Array {
  if (length < SHORTEST) return new Uint8Array(length)
  const found = idle.findIndex((room) => room.length >= length)
  return idle.splice(found, found < 0 ? 0 : 1)[0] ?? new Uint8Array(Math.ceil(length / STEP) * STEP)
}

/** Nobody reads or writes it from here on. */
export function giveRoom(room: Uint8Array): void {
  invariant(!idle.includes(room), 'room is given back once')
  if (room.length < SHORTEST || room.length > LONGEST) return
  idle.push(room)
  // The longer ones serve more.
  if (idle.length > MOST) idle.sort((a, b) => b.length - a.length).length = MOST
}

/** Signatures of a group are looked at together, but for those of who has sent a bad one. */
import { describe, expect, it } from 'vitest'
import { Looking, type Sent } from '../../net/relay/looking.js'
import type { Aside } from '../../net/relay/ledger.js'

/** Looks by noting what is looked at; what comes of a record is the record. */
function looking(): { readonly it: Looking; readonly looks: number[][] } {
  const looks: number[][] = []
  return { looks, it: new Looking((records) => {
    looks.push(records.map(([first]) => first as number))
    return Promise.resolve(records as readonly unknown[] as readonly Aside[])
  }) }
}

const sent = (sender: string, byte: number): Sent => ({ sender, record: Uint8Array.of(byte) })

describe('looking at a group', () => {
  const group = [sent('a', 1), sent('b', 2), sent('a', 3), sent('c', 4), sent('b', 5)]

  it('all together, and each gets what came of its own', async () => {
    const { it: looks, looks: seen } = looking()
    expect(await looks.at(group)).toEqual(group.map(({ record }) => record))
    expect(seen).toEqual([[1, 2, 3, 4, 5]])
  })

  it('whoever has sent a bad one apart from then on, each by itself', async () => {
    const { it: looks, looks: seen } = looking()
    looks.sentBad('b')
    looks.sentBad('c')
    expect(await looks.at(group)).toEqual(group.map(({ record }) => record))
    expect(seen).toEqual([[1, 3], [2, 5], [4]])
  })

  it('not at a lone one', async () => {
    const { it: looks, looks: seen } = looking()
    expect(await looks.at([sent('a', 1)])).toEqual([undefined])
    expect(seen).toEqual([])
  })
})

/** A relay that asks to be slower is asked again. (A file of its own: who carries files needs no code of messages before there is a relay.) */
import { isSealError } from '../engine/errors.js'

/** Wait before what came too fast is sent or asked for again, in milliseconds. */
const SLOW_DOWN = 500

/** Again for as long as the relay asks to be slower. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!isSealError(error, 'relay-refused') || error.facts.code !== 'rate') throw error
      await new Promise((resolve) => setTimeout(resolve, SLOW_DOWN))
    }
  }
}

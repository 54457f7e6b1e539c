/** Code that is loaded when something calls for it: a page that is offline, and has not kept it, can't. */
import { isSealError, SealError } from './errors.js'

/**
 * What `load` imports. Throws `unavailable` (reason `code`) if it can't be fetched; nothing is kept of that, so it may be
 * called again. (Browsers before Chrome 156 and Firefox 154, and Safari 27, remember that a module could not be fetched until the page is loaded anew: whatwg/html#10327.)
 * What it throws by itself stays.
 *
 * @example
 * const { encodeHex } = await later(() => import('./codec/bytes.js'))
 */
export async function later<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    if (isSealError(cause)) throw cause
    throw new SealError('unavailable', 'A part of this program could not be loaded. Call again when it can be fetched; older browsers have to load the page anew before.', { reason: 'code' }, { cause })
  }
}

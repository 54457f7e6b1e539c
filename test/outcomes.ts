/** What became of a call or a space, as values that a test compares. */
import { isSealError } from '../engine/errors.js'
import type { Alert } from '../engine/space/port.js'

/** The code that `run` throws, or `no error`. Anything that is no SealError is the test's own failure. */
export function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isSealError(error)) return error.code
    throw error
  }
  return 'no error'
}

/** The same of what is awaited. */
export async function codeOfLater(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (isSealError(error)) return error.code
    throw error
  }
  return 'no error'
}

/** Every alert from now on. */
export function alertsOf(space: { on(event: 'alert', listener: (alert: Alert) => void): unknown }): readonly Alert[] {
  const alerts: Alert[] = []
  space.on('alert', (alert) => alerts.push(alert))
  return alerts
}

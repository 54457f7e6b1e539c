/**
 * Every refusal that PROTOCOL.md §6.3, §6.4 and §7.6 know, as `Both` names them, by the file that meets each. Two can't be met: `role removed`, since whoever goes
 * goes last, and a join's `epoch-void`, since who leaves an epoch void leaves no invitation.
 */

const all = (kind: string, details: string): string[] => details.split(' ').map((detail) => `${kind} ${detail}`)

export const GROUP = [
  ...all('ignored', 'too-long malformed version space device signature device-prev'),
  ...all('rejected', 'base chain epoch'), 'rejected conflict reads',
  ...all('ignored join', 'base epoch reads not-first no-invitation expired invited-role issuer too-many acceptance bad-key possession delivery repeated-key grant member-name sealed name-epoch blinding-length'),
  ...all('rejected conflict', 'invitation role-changed no-invitation no-member no-device epoch delivery no-epoch repaired'),
  ...all('rejected role', 'invite handle reblind'),
  ...all('rejected rule', 'one-invitation uses expired too-many bad-key possession repeated-key epoch-void grant last-owner last-device leave-last rotate-missing rotate-last rotate-interval link-length generations'),
  ...all('rejected rule', 'generation-in-use blinding-length cut live-values sealed name-epoch'),
]

export const ROWS = [
  ...all('rejected role', 'writer admin owner not-creator'),
  ...all('rejected conflict', 'table catalog-version present absent row-version unique index-incomplete id name object generation file-version'),
  ...all('rejected policy', 'using check'),
  ...all('rejected rule', 'repeated-key plain-count not-null plain-type row-key epoch-void sealed-form sealed-epoch tokens too-large key-too-long reseal-token'),
  ...all('rejected rule', 'order catalog-ops name-generation shape policy-shape kind-changed key-changed column-changed index-changed file-id'),
]

export const RELAY = [...all('rejected rule', 'evidence relay lost-branch next-version'), ...all('rejected conflict', 'kept-head repeated')]

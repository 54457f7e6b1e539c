/** A relay in a process of its own, to be killed: `--file DIRECTORY` or `--postgres URL`, `--port`. Says its port. */
import { fileRelayStore, postgresRelayStore, startRelay } from '../../net/server.js'

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const [file, postgres] = [option('file'), option('postgres')]
const store = postgres !== undefined ? await postgresRelayStore(postgres) : fileRelayStore(file ?? '.')
const relay = await startRelay({ store, port: Number(option('port') ?? 0), name: 'relay.test' })
process.stdout.write(`${relay.port}\n`)

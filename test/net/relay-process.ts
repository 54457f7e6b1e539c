/** A relay in a process of its own, to be killed: `--file DIRECTORY` or `--postgres URL`, `--port`, `--images ENTRIES` between two images, `--poll MS`. Says its port, then what goes wrong. */
import { fileRelayStore, postgresRelayStore, startRelay } from '../../net/server.js'

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const [file, postgres] = [option('file'), option('postgres')]
const poll = option('poll')
const store = postgres !== undefined ? await postgresRelayStore(postgres, poll === undefined ? {} : { pollEvery: Number(poll) }) : fileRelayStore(file ?? '.')
const images = option('images')
const relay = await startRelay({
  store, port: Number(option('port') ?? 0), name: 'relay.test', log: (event) => process.stdout.write(`${event}\n`),
  limits: { ...(images !== undefined && { images: { entries: Number(images), bytes: 2 ** 40 } }) },
})
process.stdout.write(`${relay.port}\n`)

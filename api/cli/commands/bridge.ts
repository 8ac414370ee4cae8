/** `symphony-transport bridge`: local endpoints on one side, NATS on the other. */
import process from 'node:process'
import { credentials } from '../../bridge-nats/credentials.js'
import { isSubject, SUBJECT_RULE } from '../../bridge-nats/subject.js'
import { defineCommand, exitCodes } from '../command.js'
import { flag, option } from '../options/option.js'
import { integer, Unfit } from '../options/reader.js'
import { endpointText, framing, json, shards } from '../options/shared.js'
import { startBridge, statsLines } from '../start-bridge.js'
import { untilAborted } from '../until-aborted.js'
import { withEngine } from '../with-engine.js'

/** How long what was taken may take to be handed over, in milliseconds. */
const GRACE_MS = 5_000
const DEFAULT_SERVER = 'nats://127.0.0.1:4222'
const MOST_FRAME_BYTES = 1_073_741_824
/** `maxPendingBytes` by default; it has to be at least the largest frame. */
const PENDING_BYTES = 16_777_216

function serverUrl(text: string): string {
  if (text.includes('@')) {
    throw new Unfit('--server has credentials in it, which others can see: set NATS_USER and NATS_PASSWORD', {
      saysAll: true,
    })
  }
  if (/^(?:(?:nats|tls):\/\/)?[\w.:[\]-]+$/.test(text)) return text
  throw new Unfit('a server like nats://127.0.0.1:4222')
}

function subjectText(text: string): string {
  if (isSubject(text)) return text
  throw new Unfit(SUBJECT_RULE)
}

function durableName(text: string): string {
  if (/^[\w-]{1,32}$/.test(text)) return text
  throw new Unfit('a name of at most 32 letters, digits, - and _')
}

const roles = ['listen', 'dial', 'publish', 'subscribe'] as const

export const bridgeCommand = defineCommand({
  name: 'bridge',
  summary: 'carries connections, or frames, to other machines over NATS',
  options: {
    server: option(serverUrl, DEFAULT_SERVER, 'of NATS'),
    subject: option(subjectText, 'WORDS', 'the name that the bridges of both sides share'),
    listen: option(endpointText, 'ENDPOINT', 'take connections there, and have them go on over NATS'),
    dial: option(endpointText, 'ENDPOINT', 'dial there for each connection that comes over NATS'),
    publish: option(endpointText, 'ENDPOINT', 'take connections there, and publish their frames'),
    subscribe: option(endpointText, 'ENDPOINT', 'take connections there, and give each all messages'),
    jetstream: flag('with --publish: into a stream of JetStream'),
    durable: option(durableName, 'NAME', 'with --subscribe: a durable consumer of JetStream'),
    creds: option((text: string) => text, 'FILE', 'credentials of NATS: a file with a JWT and a seed'),
    framing,
    frame: option(integer(1, MOST_FRAME_BYTES), '16777216', 'largest frame in bytes'),
    shards,
    json,
  },
  notes: [
    'One of --listen, --dial, --publish and --subscribe. Ends at SIGINT and SIGTERM:',
    'what was taken is handed over first, for five seconds at most. Then it says',
    'what became of all frames: on stderr, with --json on stdout.',
    'User, password and token are taken from NATS_USER, NATS_PASSWORD, NATS_TOKEN.',
    'Needs @nats-io/transport-node, and for JetStream @nats-io/jetstream.',
  ],
  examples: [
    'bridge --subject shop --listen local:shop',
    'bridge --subject shop --dial local:shop --server hub:4222',
    'bridge --subject log --publish local:log --jetstream',
    'bridge --subject log --subscribe local:log --durable reader',
  ],
  check(given) {
    if (given.subject === undefined) return 'bridge needs --subject'
    const played = roles.flatMap((role) => (given[role] === undefined ? [] : [`--${role}`]))
    if (played.length === 0) return 'bridge needs one of --listen, --dial, --publish and --subscribe'
    if (played.length > 1) return `${played.join(' and ')}: a bridge does one of these`
    if (given.jetstream === true && given.publish === undefined) return '--jetstream goes with --publish'
    if (given.durable !== undefined && given.subscribe === undefined) return '--durable goes with --subscribe'
    return undefined
  },
  run(given, run) {
    const { server = DEFAULT_SERVER, subject = '', creds, framing, frame, shards, json } = given
    const { output, errors } = run.terminal
    const say = (what: string): void => void errors.write(`${what}\n`)
    return withEngine({ shards }, run, async (engine) => {
      const starting = startBridge({
        ...given,
        subject,
        nats: { servers: server, name: `symphony-transport bridge`, ...(await credentials(creds, process.env)) },
        transportTo: (endpoint) =>
          engine.transport(endpoint, {
            framing,
            allowHalfOpen: true,
            ...(frame === undefined ? {} : { maxFrameBytes: frame, maxPendingBytes: Math.max(frame, PENDING_BYTES) }),
          }),
        say,
      })
      const bridge = await Promise.race([starting, untilAborted(run.signal)])
      if (bridge === undefined) {
        // The client of NATS cannot be told to stop connecting: nobody waits for it.
        void starting.then((late) => late.close({ graceMs: 0 })).catch(() => undefined)
        say(`it was asked to end before it was connected to ${server}`)
        return exitCodes.ok
      }
      say(`${given.dial === undefined ? 'listening on' : 'dialling'} ${bridge.endpoint} for the subject ${subject}`)
      const ended = await Promise.race([untilAborted(run.signal), bridge.closed])
      await bridge.close({ graceMs: GRACE_MS })
      const stats = bridge.stats()
      if (json === true) output.write(`${JSON.stringify(stats)}\n`)
      else for (const line of statsLines(stats)) say(line)
      if (ended === undefined || ended.code === 'OK') return exitCodes.ok
      say(`${ended.code}: ${ended.cause?.message ?? 'the bridge has ended'}`)
      return exitCodes.failed
    })
  },
})

/** What a program that is no host of its own tells NATS about who it is. Nothing of it is ever printed. */
import { readFileSync } from 'node:fs'
import type { NodeConnectionOptions } from '@nats-io/transport-node'
import { TransportError } from '../../engine/protocol/errors.js'
import { loadClient } from './nats-input.js'

/** `creds`: a file with a JWT and a seed. Otherwise NATS_USER with NATS_PASSWORD, or NATS_TOKEN, where they are set. */
export async function credentials(
  creds: string | undefined,
  env: Readonly<Partial<Record<string, string>>>,
): Promise<NodeConnectionOptions> {
  if (creds === undefined) {
    const { NATS_USER: user, NATS_PASSWORD: pass, NATS_TOKEN: token } = env
    if (user !== undefined) return { user, ...(pass === undefined ? {} : { pass }) }
    return token === undefined ? {} : { token }
  }
  const { credsAuthenticator } = await loadClient()
  let bytes: Buffer
  try {
    bytes = readFileSync(creds)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const isDenied = code === 'EACCES' || code === 'EPERM'
    throw new TransportError(isDenied ? 'ERR_ACCESS' : 'ERR_NOT_FOUND', `the file of --creds cannot be read`, { cause })
  }
  return { authenticator: credsAuthenticator(bytes) }
}

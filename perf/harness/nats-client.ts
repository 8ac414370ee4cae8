/** The client of NATS, which is loaded when it is needed: it is an optional peer of the package. */
import { Unfit } from '../../api/cli/options/reader.js'

/** @throws {Unfit} it is not installed */
export async function loadNatsClient() {
  try {
    return await import('@nats-io/transport-node')
  } catch {
    throw new Unfit('@nats-io/transport-node is not installed: npm install @nats-io/transport-node', { saysAll: true })
  }
}

import { bridged } from './bridged.js'
import { endingTests } from './ending.js'
import { flowTests } from './flow.js'
import { frameTests } from './frame-integrity.js'
import { sendingTests } from './send-rules.js'
import { transportContract } from './transport-contract.js'

// Tests that do not concern the far end use a simpler one.
transportContract(bridged('engine'), [frameTests, sendingTests, endingTests, flowTests])

import { bridged } from './bridged.js'
import { endingTests } from './ending.js'
import { flowTests } from './flow.js'
import { frameTests } from './frames.js'
import { sendingTests } from './sending.js'
import { transportContract } from './transport-contract.js'

// What the far end has no part in is asked of a simpler one.
transportContract(bridged('engine'), [frameTests, sendingTests, endingTests, flowTests])

import { bridged } from './bridged.js'
import { childParts } from './parts.js'
import { transportContract } from './transport-contract.js'

transportContract(bridged('streams'), childParts)

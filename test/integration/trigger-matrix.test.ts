import { describeTriggers } from './triggers/contract.ts'

// The oldest and the newest; those between are in test/full.
describeTriggers([15, 18])

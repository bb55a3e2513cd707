import type { z } from 'zod'
import type { doctorJson } from '../../answers/json/doctor.ts'

export type DoctorFinding = z.infer<typeof doctorJson>['findings'][number]
type FindingName = DoctorFinding['name']

/** What a finding says besides its name and its document; what is left out is null. */
interface Told {
  readonly what: string
  readonly evidence?: string | null
  readonly remedy?: string | null
  readonly advice?: string | null
}

const finding =
  (severity: DoctorFinding['severity']) =>
  (name: FindingName, document: string | null, told: Told): DoctorFinding => ({
    name,
    severity,
    document,
    what: told.what,
    evidence: told.evidence ?? null,
    remedy: told.remedy ?? null,
    advice: told.advice ?? null,
  })

/** Documents are wrong, or will be. */
export const error = finding('error')

/** Slower than need be, or about to be an error. */
export const warning = finding('warning')

/** Somebody decided it, perhaps long ago: nothing is wrong, and the exit code stays 0. */
export const note = finding('note')

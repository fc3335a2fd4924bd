/**
 * India's states and union territories: ISO 3166-2:IN letters to GST's two digits.
 * ISO changed CT, OR, TG and UT to CG, OD, TS and UK in November 2023; both are taken, since address forms still send the old ones.
 */
const gstCodes: Readonly<Record<string, string>> = {
  JK: '01',
  HP: '02',
  PB: '03',
  CH: '04',
  UK: '05',
  UT: '05',
  HR: '06',
  DL: '07',
  RJ: '08',
  UP: '09',
  BR: '10',
  SK: '11',
  AR: '12',
  NL: '13',
  MN: '14',
  MZ: '15',
  TR: '16',
  ML: '17',
  AS: '18',
  WB: '19',
  JH: '20',
  OD: '21',
  OR: '21',
  CG: '22',
  CT: '22',
  MP: '23',
  GJ: '24',
  DH: '26',
  MH: '27',
  KA: '29',
  GA: '30',
  LD: '31',
  KL: '32',
  TN: '33',
  PY: '34',
  AN: '35',
  TS: '36',
  TG: '36',
  AP: '37',
  LA: '38',
}

/** ISO letters, as an address carries them. */
export const STATE_CODES: readonly string[] = Object.keys(gstCodes)

/** `KA` -> `29`; undefined for letters that are no state. */
export const gstStateCode = (state: string): string | undefined => (Object.hasOwn(gstCodes, state) ? gstCodes[state] : undefined)

const renamed: Readonly<Record<string, string>> = { CT: 'CG', OR: 'OD', TG: 'TS', UT: 'UK' }

/** `OR` -> `OD`: the letters that ISO has now. */
export const currentStateLetters = (state: string): string => (Object.hasOwn(renamed, state) ? (renamed[state] ?? state) : state)

import type { OutgoingMessage } from '#kernel'
import { activity, command, defineSaga, type Call, type Saga } from '#saga'

type Booking = { readonly room: string; readonly guest: string; readonly receipt?: string }

const send =
  (type: string) =>
  ({ data }: Saga<Booking>, { id, replyTo, context }: Call): OutgoingMessage => ({
    topic: 'hotel.commands',
    key: data.room,
    type,
    schemaVersion: 1,
    data: { replyTo, room: data.room, guest: data.guest },
    context,
    id, // the same call, however often it goes out, has the same id
  })

/** Hold a room, charge the guest, confirm. Up to the confirmation, whatever fails, all of it is undone. */
export const booking = defineSaga<Booking>({
  type: 'booking',
  version: 1,
  steps: [
    { name: 'hold-room', does: command(send('HoldRoom')), undo: command(send('ReleaseRoom')), refusedBecause: 'no-room' },
    {
      name: 'charge-guest',
      does: activity('charge', {
        input: ({ data }) => ({ guest: data.guest }),
        learns: ({ receipt }) => ({ receipt: String(receipt) }),
        window_ms: 60_000, // so long it may stay unknown; then the saga turns back
      }),
      undo: activity('refund', { input: ({ data }) => ({ guest: data.guest }) }),
      refusedBecause: 'declined',
      expiredBecause: 'no-answer',
    },
    { name: 'confirm-room', pivot: true, does: command(send('ConfirmRoom')) },
  ],
})

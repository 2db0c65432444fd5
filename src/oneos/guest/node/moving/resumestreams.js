'use strict';
// Puts a standard stream where it was: what had been read and not delivered, and who listens.

function resumeStream(at, record, stream) {
  const { ahead, encoding, flowing, paused } = record;
  if (record.fd === 0 && record.flowing !== undefined) {
    if (encoding) stream.setEncoding(encoding);
    if (record.partial) stream._readableState.decoder.write(Buffer.from(record.partial, 'latin1'));
    for (const piece of [...ahead].reverse()) {
      stream.unshift(typeof piece === 'string' ? Buffer.from(piece, encoding ?? 'utf8') :
        Buffer.from(piece.latin1, 'latin1'));
    }
  }
  for (const [type, listener] of record.listeners) stream.on(at.value(type), at.value(listener));
  if (record.fd === 0) {
    if (paused || flowing === false) stream.pause();
    else if (flowing) stream.resume();
    if (record.ref === 0) stream.unref?.();
  }
  if (record.destroyed) stream.destroy();
}

module.exports = { resumeStream };

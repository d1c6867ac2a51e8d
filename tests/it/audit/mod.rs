mod sequencer;
mod tampering;

"""What a person looks at while a guest runs: disassembly, history, debugger front ends."""

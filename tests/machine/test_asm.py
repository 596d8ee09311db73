"""The tests' own assembler against GNU as: a wrong encoding would make every machine test lie."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import asm
from tests.support.asm import Mac, at, d, disp, imm, ind, index, pc_disp, post, pre

CASES: tuple[tuple[str, bytes], ...] = (
    ("move.l %d1,%d2", asm.move("l", d(1), d(2))),
    ("move.b (%a1),%d2", asm.move("b", ind(1), d(2))),
    ("move.w (%a1)+,-(%a2)", asm.move("w", post(1), pre(2))),
    ("move.l 0x12(%a3),(%a4)+", asm.move("l", disp(3, 0x12), post(4))),
    ("move.l #0x12345678,%d5", asm.move("l", imm(0x12345678), d(5))),
    ("move.b #0x7f,(%a2)", asm.move("b", imm(0x7F, "b"), ind(2))),
    ("movea.l %d1,%a2", asm.move("l", d(1), asm.a(2))),
    ("move.l 0xc0001234,%d0", asm.move("l", at(0xC0001234), d(0))),
    ("move.l %d3,0xfe000004", asm.move("l", d(3), at(0xFE000004))),
    ("move.l -2(%a1,%d2.l*4),%d3", asm.move("l", index(1, 2, -2, 4), d(3))),
    ("move.l 4(%a1,%a2.l),%d3", asm.move("l", index(1, 10, 4), d(3))),
    ("moveq #-3,%d4", asm.moveq(-3, 4)),
    ("mov3q #-1,%d1", asm.mov3q(-1, d(1))),
    ("mov3q #5,(%a1)", asm.mov3q(5, ind(1))),
    ("mvs.b (%a1),%d2", asm.mvs("b", ind(1), 2)),
    ("mvs.w %d1,%d2", asm.mvs("w", d(1), 2)),
    ("mvz.b %d3,%d2", asm.mvz("b", d(3), 2)),
    ("mvz.w (%a0)+,%d2", asm.mvz("w", post(0), 2)),
    ("lea 0x1234(%a1),%a2", asm.lea(disp(1, 0x1234), 2)),
    ("lea 0xc0001234,%a2", asm.lea(at(0xC0001234), 2)),
    ("lea %pc@(0x40),%a2", asm.lea(pc_disp(0x40), 2)),
    ("pea (%a3)", asm.pea(ind(3))),
    ("clr.b (%a3)", asm.clr("b", ind(3))),
    ("clr.w %d3", asm.clr("w", d(3))),
    ("clr.l -(%a3)", asm.clr("l", pre(3))),
    ("movem.l %d0-%d3/%a0-%a2,(%sp)", asm.movem_store([0, 1, 2, 3, 8, 9, 10], ind(7))),
    ("movem.l 8(%a1),%d2/%a3", asm.movem_load(disp(1, 8), [2, 11])),
    ("link.w %a5,#-16", asm.link(5, -16)),
    ("unlk %a5", asm.unlk(5)),
    ("add.l (%a1),%d2", asm.alu("add", ind(1), 2)),
    ("sub.l %d1,%d2", asm.alu("sub", d(1), 2)),
    ("and.l (%a1)+,%d2", asm.alu("and", post(1), 2)),
    ("or.l -(%a1),%d2", asm.alu("or", pre(1), 2)),
    ("cmp.l %d1,%d2", asm.alu("cmp", d(1), 2)),
    ("adda.l %d1,%a2", asm.alu_a("adda", d(1), 2)),
    ("suba.l (%a1),%a2", asm.alu_a("suba", ind(1), 2)),
    ("cmpa.l %d1,%a2", asm.alu_a("cmpa", d(1), 2)),
    ("add.l %d2,(%a1)", asm.alu_to("add", 2, ind(1))),
    ("sub.l %d2,8(%a1)", asm.alu_to("sub", 2, disp(1, 8))),
    ("and.l %d2,(%a1)+", asm.alu_to("and", 2, post(1))),
    ("or.l %d2,-(%a1)", asm.alu_to("or", 2, pre(1))),
    ("eor.l %d2,(%a1)", asm.alu_to("eor", 2, ind(1))),
    ("addi.l #1000,%d2", asm.alu_i("addi", 1000, 2)),
    ("subi.l #1000,%d2", asm.alu_i("subi", 1000, 2)),
    ("andi.l #1000,%d2", asm.alu_i("andi", 1000, 2)),
    ("ori.l #1000,%d2", asm.alu_i("ori", 1000, 2)),
    ("eori.l #1000,%d2", asm.alu_i("eori", 1000, 2)),
    ("cmpi.l #1000,%d2", asm.alu_i("cmpi", 1000, 2)),
    ("addq.l #8,(%a1)", asm.addq(8, ind(1))),
    ("subq.l #1,%d1", asm.subq(1, d(1))),
    ("addx.l %d1,%d2", asm.addx(1, 2)),
    ("tst.w (%a1)", asm.tst("w", ind(1))),
    ("swap %d1", asm.single("swap", 1)),
    ("ext.w %d1", asm.single("ext.w", 1)),
    ("ext.l %d1", asm.single("ext.l", 1)),
    ("extb.l %d1", asm.single("extb.l", 1)),
    ("neg.l %d1", asm.single("neg.l", 1)),
    ("negx.l %d1", asm.single("negx.l", 1)),
    ("not.l %d1", asm.single("not.l", 1)),
    ("sats.l %d1", asm.single("sats.l", 1)),
    ("asr.l #8,%d1", asm.shift("asr", 8, 1)),
    ("lsr.l #3,%d1", asm.shift("lsr", 3, 1)),
    ("asl.l #1,%d1", asm.shift("asl", 1, 1)),
    ("lsl.l %d2,%d1", asm.shift_by("lsl", 2, 1)),
    ("btst #3,(%a1)", asm.bit("btst", 3, ind(1))),
    ("bchg #3,(%a1)", asm.bit("bchg", 3, ind(1))),
    ("bclr #5,2(%sp)", asm.bit("bclr", 5, disp(7, 2))),
    ("bset #13,%d1", asm.bit("bset", 13, d(1))),
    ("bset %d2,(%a1)", asm.bit_by("bset", 2, ind(1))),
    ("tas (%a1)", asm.tas(ind(1))),
    ("muls.w %d1,%d2", asm.mul_w(True, d(1), 2)),
    ("mulu.w (%a1),%d2", asm.mul_w(False, ind(1), 2)),
    ("muls.l (%a1),%d2", asm.mul_l(True, ind(1), 2)),
    ("mulu.l %d1,%d2", asm.mul_l(False, d(1), 2)),
    ("divs.w %d1,%d2", asm.div_w(True, d(1), 2)),
    ("divu.w (%a1),%d2", asm.div_w(False, ind(1), 2)),
    ("divs.l %d1,%d2", asm.div_l(True, d(1), 2)),
    ("divu.l 4(%a1),%d2", asm.div_l(False, disp(1, 4), 2)),
    ("rems.l %d1,%d3:%d2", asm.rem_l(True, d(1), 2, 3)),
    ("remu.l (%a1),%d3:%d2", asm.rem_l(False, ind(1), 2, 3)),
    ("nop", asm.NOP),
    ("tpf", asm.TPF),
    ("rts", asm.RTS),
    ("rte", asm.RTE),
    ("halt", asm.HALT),
    ("illegal", asm.ILLEGAL),
    ("bne.w .+0x102", asm.branch_w("ne", 0x100)),
    ("bra.s .-4", asm.branch_b("ra", -6)),
    ("bsr.w .+0x1002", asm.branch_w("sr", 0x1000)),
    ("ble.s .+0x12", asm.branch_b("le", 0x10)),
    ("jmp 0xc0001234", asm.jmp(at(0xC0001234))),
    ("jsr (%a1)", asm.jsr(ind(1))),
    ("trap #3", asm.trap(3)),
    ("stop #0x2300", asm.stop(0x2300)),
    ("movec %d1,%vbr", asm.movec(1, asm.VBR)),
    ("movec %a1,%cacr", asm.movec(9, asm.CACR)),
    ("movec %d1,%asid", asm.movec(1, asm.ASID)),
    ("movec %d1,%acr3", asm.movec(1, asm.ACR3)),
    ("movec %d1,%mmubar", asm.movec(1, asm.MMUBAR)),
    ("movec %d1,%rambar1", asm.movec(1, asm.RAMBAR1)),
    ("movec %d1,%mbar", asm.movec(1, asm.MBAR)),
    ("move.w #0x2700,%sr", asm.move_to_sr(imm(0x2700, "w"))),
    ("move.w %d1,%sr", asm.move_to_sr(d(1))),
    ("move.w %sr,%d1", asm.move_from_sr(1)),
    ("move.w %d1,%ccr", asm.move_to_ccr(d(1))),
    ("move.w %ccr,%d1", asm.move_from_ccr(1)),
    ("move.l %a1,%usp", asm.move_to_usp(1)),
    ("move.l %usp,%a1", asm.move_from_usp(1)),
    ("fsave (%a1)", asm.fsave(ind(1))),
    ("frestore 4(%a1)", asm.frestore(disp(1, 4))),
    ("mac.l %d1,%d2,%acc0", asm.mac(Mac(2, 1, 0))),
    ("msac.l %a1,%d2,<<,%acc3", asm.mac(Mac(2, 9, 3, subtract=True, scale=1))),
    ("mac.w %d1u,%a2l,>>,%acc1", asm.mac(Mac(10, 1, 1, long=False, scale=3, upper_y=True))),
    ("mac.w %d1l,%d2u,%acc2", asm.mac(Mac(2, 1, 2, long=False, upper_x=True))),
    ("mac.l %d1,%d2,(%a3),%d4,%acc0", asm.mac_load(Mac(2, 1, 0), ind(3), 4)),
    ("mac.l %d1,%d2,(%a3)&,%d4,%acc2", asm.mac_load(Mac(2, 1, 2), ind(3), 4, masked=True)),
    ("msac.l %d1,%a2,8(%a3)&,%a4,%acc3", asm.mac_load(Mac(10, 1, 3, subtract=True), disp(3, 8), 12, masked=True)),
    ("msac.w %d1u,%a2l,-(%a3),%a4,%acc3", asm.mac_load(Mac(10, 1, 3, False, True, upper_y=True), pre(3), 12)),
    ("move.l #5,%acc1", asm.move_to_emac(imm(5), asm.ACC1)),
    ("move.l %a1,%accext01", asm.move_to_emac(asm.a(1), asm.ACCEXT01)),
    ("move.l %d1,%macsr", asm.move_to_emac(d(1), asm.MACSR)),
    ("move.l %d1,%mask", asm.move_to_emac(d(1), asm.MASK)),
    ("move.l %accext23,%d1", asm.move_from_emac(asm.ACCEXT23, 1)),
    ("move.l %acc3,%a1", asm.move_from_emac(asm.ACC3, 9)),
    ("movclr.l %acc2,%a3", asm.movclr(2, 11)),
    ("move.l %acc1,%acc3", asm.move_acc(1, 3)),
    ("move.l %macsr,%ccr", asm.MACSR_TO_CCR),
    ("fadd.d %fp1,%fp2", asm.fp("add", 1, 2)),
    ("fssqrt.d %fp1,%fp2", asm.fp("sqrt", 1, 2, "s")),
    ("fddiv.d (%a0)+,%fp1", asm.fp_from("div", "d", post(0), 1, "d")),
    ("fsmove.s %d0,%fp1", asm.fp_from("move", "s", d(0), 1, "s")),
    ("fsneg.w 8(%a0),%fp1", asm.fp_from("neg", "w", disp(0, 8), 1, "s")),
    ("fmove.b %fp1,%d0", asm.fp_to("b", 1, d(0))),
    ("fmove.d %fp1,-(%a2)", asm.fp_to("d", 1, pre(2))),
    ("fmove.l %d0,%fpsr", asm.fp_to_control(d(0), asm.FPSR)),
    ("fmove.l %fpcr,(%a1)", asm.fp_from_control(asm.FPCR, ind(1))),
    ("fmovem.d %fp0/%fp2,(%a0)", asm.fmovem_store([0, 2], ind(0))),
    ("fmovem.d 8(%a0),%fp1-%fp7", asm.fmovem_load(disp(0, 8), range(1, 8))),
    ("wddata.l (%a0)+", asm.wddata("l", post(0))),
)


@pytest.mark.skipif(shutil.which("m68k-linux-gnu-as") is None, reason="needs m68k-linux-gnu-as")
def test_encodings_are_those_of_gnu_as(tmp_path: Path) -> None:
    source, binary, image = tmp_path / "all.s", tmp_path / "all.o", tmp_path / "all.bin"
    source.write_text("".join(f"{text}\n" for text, _ in CASES))
    subprocess.run(["m68k-linux-gnu-as", "-mcpu=5475", "-o", binary, source], check=True)
    subprocess.run(["m68k-linux-gnu-objcopy", "-O", "binary", "-j", ".text", binary, image], check=True)
    expected, offset = image.read_bytes(), 0
    for text, code in CASES:
        assert code.hex() == expected[offset : offset + len(code)].hex(), text
        offset += len(code)
    assert not any(expected[offset:])  # nothing but the section's padding is left


def test_labels_are_filled_in_before_and_after_they_are_set() -> None:
    program = asm.Assembler(0x1000)
    program.label("start")
    program.branch("ne", "end")
    program.address(asm.jmp(at(0))[:2], "start")
    program.label("end")
    assert program.finish() == asm.branch_w("ne", 8) + asm.jmp(at(0x1000))


def test_a_label_out_of_reach_is_refused() -> None:
    program = asm.Assembler(0)
    program.branch("ra", "end")
    program.add(bytes(0x9000))
    program.label("end")
    with pytest.raises(ValueError, match="too far"):
        program.finish()

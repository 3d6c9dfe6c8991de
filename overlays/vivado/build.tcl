# Vivado's build of the same Verilog.  NOT RUN BY US: written from Vivado's documentation (UG835,
# UG903), on machines that have no Vivado.  If it works for you, or if it doesn't, please tell us.
#
#   python -m overlays.gateware.verilog build/zynq.v --zynq
#   vivado -mode batch -source overlays/vivado/build.tcl \
#     -tclargs build/zynq.v xc7z020clg400-1 build/vivado
#   python -m overlays.hwh Pynq-Z1 build/vivado/bnn.hwh
#
# (xc7z020clg484-1 and ZedBoard for that board.)
#
# There is no block design: the top module holds the bare PS7 primitive, of which FCLK0, its reset,
# M_AXI_GP0 and the S_AXI_HP ports of HP_PORTS in overlays/boards.py are connected.  The design has
# no pins, so no pin is constrained; clocks, DDR and MIO are set by the boot image, not from here.

if {$argc != 3} {
    error "usage: vivado -mode batch -source build.tcl -tclargs VERILOG PART FOLDER"
}
lassign $argv verilog part folder
set period_ns 10.0 ;# of fclk0_mhz in overlays/boards.py, which the .hwh asks for

proc require_met {kind delay_type} {
    set path [get_timing_paths -delay_type $delay_type -max_paths 1]
    if {[llength $path] == 0} {
        error "no path was timed for $kind: the clock did not reach the design"
    }
    set slack [get_property SLACK $path]
    if {$slack < 0} {
        error "$kind is not met, slack $slack ns: no bitstream is written"
    }
}

file mkdir $folder
read_verilog $verilog
synth_design -top zynq -part $part -flatten_hierarchy full

set ps7 [get_cells -hierarchical -filter {REF_NAME == PS7}]
if {[llength $ps7] != 1} {
    error "$verilog should hold one PS7, has [llength $ps7]: was it made with --zynq?"
}
# no block design and no IP core defines this clock for us
create_clock -name fclk0 -period $period_ns \
    [get_pins -of_objects $ps7 -filter {REF_PIN_NAME == FCLKCLK[0]}]

opt_design
place_design
phys_opt_design
route_design
write_checkpoint -force $folder/routed.dcp

report_timing_summary -file $folder/timing.txt
report_utilization -file $folder/utilization.txt
report_drc -file $folder/drc.txt
require_met "set-up" max
require_met "hold" min
write_bitstream -force $folder/bnn.bit

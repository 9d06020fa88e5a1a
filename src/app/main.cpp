#include "app/command_line.h"

int main(int argc, char** argv) { return tribune::app::run(argc, argv); }
